"""The market that the benchmark of scale makes up is one that the questions can be asked of."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bench.scale import FIRST_DAY, MEDIANS, RECOUNTED, build
from warehouse.queries import OfferFilter, offers, open_market


def test_every_observation_is_in_the_made_up_market(tmp_path: Path) -> None:
    build(tmp_path, 400, 6)
    market = open_market(tmp_path)
    end = FIRST_DAY + timedelta(days=6)
    answer = offers(market, OfferFilter(as_of=FIRST_DAY + timedelta(days=3, hours=1), limit=5), now=end)
    assert answer.total == 400
    assert len(answer.rows) == 5
    counted = market.execute(f"SELECT sum(offers), count(DISTINCT day) FROM ({MEDIANS})").fetchall()
    assert counted == [(400 * 6, 6)]
    recounted = market.execute(RECOUNTED, {"end": end}).fetchall()
    assert len({day for day, *_ in recounted}) == 6
    spans = market.execute("SELECT count(*), count(DISTINCT offer_id) FROM spans").fetchall()[0]
    assert spans[1] == 400
    assert spans[0] > 400  # some prices moved
    market.close()
