for (const t of document.querySelectorAll("table.sort")) {
const b = t.tBodies[0], H = [...t.tHead.rows[0].cells], key = (r, i) => {
const c = r.cells[i], v = c.dataset.v, s = c.textContent.trim().toLowerCase();
return v !== undefined ? +v : s !== "" && !isNaN(s) ? +s : s;
};
H.forEach((h, i) => {
if ("no" in h.dataset) return;
const k = document.createElement("button");
k.type = "button";
k.append(...h.childNodes);
h.append(k);
k.onclick = () => {
const d = h.ariaSort == "ascending" ? -1 : 1;
H.forEach(x => x.removeAttribute("aria-sort"));
h.setAttribute("aria-sort", d > 0 ? "ascending" : "descending");
b.append(...[...b.rows].map(r => [key(r, i), r]).sort((x, y) => d * (x[0] > y[0] ? 1 : x[0] < y[0] ? -1 : 0)).map(x => x[1]));
};
});
if (!t.classList.contains("filter") || b.rows.length < 9) continue;
const l = document.createElement("label"), f = document.createElement("input"), o = document.createElement("output");
l.className = "find";
f.type = "search";
f.oninput = () => {
const w = f.value.toLowerCase().split(/\s+/);
let n = 0;
for (const r of b.rows) n += !(r.hidden = !w.every(x => r.textContent.toLowerCase().includes(x)));
o.textContent = f.value ? n + " of " + b.rows.length : "";
};
l.append("Filter rows", f, o);
t.parentElement.before(l);
}
