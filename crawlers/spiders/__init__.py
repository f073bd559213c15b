"""One spider per provider, one file each: file name = spider name = provider id = fixture folder."""
