"""One file for each format of token shards; this is their registry."""

from collections.abc import Mapping

from curate.shards.format import ShardFormat
from curate.shards.formats.arrayrecord import ArrayRecordFormat
from curate.shards.formats.bin import BinFormat
from curate.shards.formats.datatrove import DatatroveFormat
from curate.shards.formats.litdata import LitdataFormat
from curate.shards.formats.mds import MdsFormat
from curate.shards.formats.megatron import MegatronFormat
from curate.shards.formats.olmo import OlmoFormat
from curate.shards.formats.parquet import ParquetFormat
from curate.shards.formats.sft import SftFormat

FORMATS: Mapping[str, ShardFormat] = {
    each.name: each
    for each in (
        ParquetFormat(),
        SftFormat(),
        BinFormat(),
        MegatronFormat(),
        OlmoFormat(),
        DatatroveFormat(),
        LitdataFormat(),
        MdsFormat(),
        ArrayRecordFormat(),
    )
}
