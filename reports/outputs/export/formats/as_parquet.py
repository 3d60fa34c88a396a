"""parquet: the records of a run, one row each, of any status, read from the store in batches.

The memory of a few thousand records suffices for runs of millions. Arrow reads each batch; one that
fails a check is read record by record instead, so that an unreadable record is `failed` as in every
report.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from impls.interface import Problem
from reports.outputs.export.parquet_tables import tables_beside
from reports.rows.columns import PROBLEM_COLUMNS, problem_columns
from reports.rows.measurements import CASE
from reports.rows.panels import panel_on
from reports.views.cases import joined, labels_of
from suites.records.codec import from_json, to_data
from suites.records.in_model import InModel
from suites.records.on_rank import OnRank
from suites.records.record import CAUSES, CHECK
from suites.records.store import Run, Store

if TYPE_CHECKING:
    import pyarrow as pa

EXTENSION: Final = "parquet"
NEEDED: Final = (
    "the format parquet needs pyarrow, which is not installed: python -m pip install -c "
    'constraints.txt -e ".[parquet]", or export another format'
)
_NAMES: Final = ("problem", "implementation", "status")
_BYTES: Final = ("peak_bytes", "kept_bytes", "resident_bytes", "set_up_bytes")
_FIGURES: Final = (
    "prepare_ms",
    "first_call_ms",
    "compile_ms",
    "neighbour_ratio",
    "in_layer_faults",
    "host_ms",
    "unhidden",
    "sustained_ms",
    "energy_mj",
    "cross_check_ms",
    "page_faults",
    "spent_ms",
    "calls_ms",
)


def write(store: Store, run: Run, path: Path) -> tuple[Path, ...]:
    """Write the records of a run, in the order they were made.

    The columns are the fields of a Record, with samples as a list, and in_model, agreement and
    conditions as structs; then the fields of its problem, its panel, and the labels of its cases
    where the run has any. The file appears when it is complete. Beside it are the percentiles of a
    run with --tail in NAME-tails.parquet, and the sums of a run with steps in NAME-steps.parquet
    and NAME-cases.parquet. Raises ValueError without pyarrow.
    """
    try:
        from pyarrow import parquet  # noqa: PLC0415 - an extra of its own
    except ImportError as error:
        raise ValueError(NEEDED) from error

    stored, panels = _schema(), {entry.name: entry.panel for entry in run.plan.entries}
    named = labels_of(run.plan)
    cases = {str(each): joined(each, named) for each in named}
    part = path.with_name(f"{path.name}.part")
    try:
        with parquet.ParquetWriter(part, _whole(stored, cases), compression="zstd") as file:
            for rows in store.rows(run.name):
                file.write_table(_with_columns(_table(store, rows, stored), panels, cases))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return (path, *tables_beside(store, run, path))


def _schema() -> pa.Schema:
    """A record as the store holds it."""
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own

    real, whole, text, truth = pa.float64(), pa.int64(), pa.string(), pa.bool_()
    errors = ("rms_share", "worst_share", "relative_rms", "max_error", "worst_row", "cosine")
    tensor = pa.struct([("tensor", text), *((name, real) for name in errors)])
    agreement = pa.struct(
        [
            ("tensors", pa.list_(tensor)),
            ("on_inputs", pa.list_(pa.struct([("file", text), ("tensors", pa.list_(tensor))]))),
            ("rows_checked", whole),
            ("readout", truth),
            ("repeatable", truth),
            ("slope", real),
            ("hard_inputs", whole),
            ("repeats", whole),
            ("differing", pa.list_(text)),
            ("batch_differs_from", whole),
        ]
    )
    kernel = pa.struct([("name", text), ("share", real), ("calls", whole), ("variant", text)])
    layer = [("layer", text), ("calls", whole), ("forward_ms", real), ("backward_ms", real)]
    in_model = pa.struct(
        [("step_ms", real), ("attention_ms", real), ("layers", pa.list_(pa.struct(layer)))]
    )
    of_rank = [("rank", whole), ("call_ms", real), ("sent_bytes", whole), ("peak_bytes", whole)]
    of_rank += [("communication_ms", real), ("arithmetic_ms", real)]
    gauges = ("sm_mhz", "memory_mhz", "power_w", "temperature_c")
    throttled = ("throttled_ms", pa.map_(text, real))
    device = pa.struct([*((name, real) for name in gauges), ("reasons", pa.list_(text)), throttled])
    conditions = pa.struct(
        [
            ("probe_ms", pa.list_(real)),
            ("run_delay_ms", pa.list_(real)),
            ("involuntary_switches", pa.list_(whole)),
            ("disturbed", pa.list_(text)),
            ("device", pa.list_(device)),
        ]
    )
    return pa.schema(
        [
            ("session", whole),
            *((name, text) for name in (*_NAMES, "cause", "reason", "slip", "cure")),
            *((name, text) for name in ("process", "unbound", "host", "clock", "inputs_from")),
            *((name, text) for name in ("operator", "fallback")),
            ("kernels", pa.list_(kernel)),
            ("threads", whole),
            ("calls_per_sample", whole),
            ("compilations", whole),
            ("unseen", text),
            ("notes", pa.list_(text)),
            ("mask_bytes", pa.int64()),
            ("in_rounds", truth),
            ("checked_again", truth),
            ("times_ms", pa.list_(real)),
            ("twin_ms", pa.list_(real)),
            ("again_ms", pa.list_(real)),
            ("in_layer_ms", pa.list_(real)),
            *((name, real) for name in _FIGURES),
            *((name, whole) for name in _BYTES),
            ("in_model", in_model),
            ("on_ranks", pa.list_(pa.struct(of_rank))),
            ("agreement", agreement),
            ("conditions", conditions),
        ]
    )


def _whole(stored: pa.Schema, cases: Mapping[str, str]) -> pa.Schema:
    """The schema of the file: a record, its problem's columns, its panel, labels where any are."""
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own

    names = pa.dictionary(pa.int32(), pa.string())
    fields = [pa.field(each.name, names) if each.name in _NAMES else each for each in stored]
    kinds = {name: _kind(name) for name in PROBLEM_COLUMNS}
    texts = dict.fromkeys(("panel", CASE) if cases else ("panel",), pa.string())
    added = [pa.field(name, kind) for name, kind in {**kinds, **texts}.items()]
    return pa.schema([*fields, *added])


def _kind(name: str) -> pa.DataType:
    """The type of a column of a problem, from the declaration of its field."""
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own

    declared = str(Problem.__dataclass_fields__[name].type) if name != "pass" else "str"
    kinds = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    return kinds.get(declared.removesuffix(" | None"), pa.string())


def _table(store: Store, rows: Sequence[Mapping[Any, Any]], stored: pa.Schema) -> pa.Table:
    """A batch of rows: read at once where all of them pass the checks, else one by one."""
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own
    from pyarrow import json as reader  # noqa: PLC0415 - likewise

    try:
        text = "\n".join(row["data"] for row in rows).encode()
        found = reader.read_json(
            io.BytesIO(text),
            read_options=reader.ReadOptions(block_size=len(text) + 1, use_threads=False),
            parse_options=reader.ParseOptions(
                explicit_schema=stored, unexpected_field_behavior="error"
            ),
        ).select(stored.names)
    except (pa.ArrowException, TypeError):
        found = None
    if found is not None and _is_sound(found, rows):
        return found
    data = [_encodable(to_data(record)) for record in store.read(rows)]
    return pa.Table.from_pylist(data, schema=stored)


def _encodable(data: dict[str, Any]) -> dict[str, Any]:
    """A record's data with ? for lone surrogates, which no file can hold."""
    text = json.dumps(data, ensure_ascii=False).encode(errors="replace")
    made: dict[str, Any] = json.loads(text)
    return made


def _is_sound(found: pa.Table, rows: Sequence[Mapping[Any, Any]]) -> bool:
    """Whether every record belongs to its row, and meets the conditions of a Record."""
    from pyarrow import compute  # noqa: PLC0415 - an extra of its own

    if found.num_rows != len(rows):
        return False
    for name in ("session", *_NAMES):
        if found[name].to_pylist() != [row[name] for row in rows]:
            return False
    lists = ("times_ms", "twin_ms", "again_ms", "in_layer_ms")
    figures = [compute.list_flatten(found[name]) for name in lists]
    samples = compute.list_value_length(found["times_ms"])
    timed = compute.greater(samples, 0)
    ok = compute.equal(found["status"], "ok")
    check = compute.equal(found["session"], CHECK)
    set_up = [compute.is_valid(found[name]) for name in ("prepare_ms", "first_call_ms")]
    explained = compute.not_equal(found["reason"], "")
    has = compute.or_(timed, compute.or_(*set_up))
    twins = [compute.list_value_length(found[name]) for name in lists[1:]]
    disturbed = compute.struct_field(found["conditions"], "disturbed")
    rounds = compute.fill_null(compute.list_value_length(disturbed), 0)
    rules = (
        compute.or_(compute.invert(has), compute.and_(ok, compute.invert(check))),
        compute.or_(compute.or_(compute.invert(ok), check), timed),
        compute.or_(ok, explained),
        *(compute.or_(compute.equal(n, 0), compute.equal(n, samples)) for n in (*twins, rounds)),
        *(compute.fill_null(compute.greater_equal(found[n], 0), fill_value=True) for n in _BYTES),
    )
    shares = compute.struct_field(compute.list_flatten(found["kernels"]), "share")
    parts: list[tuple[type, Any]] = [
        (InModel, each) for each in found["in_model"].to_pylist() if each is not None
    ]
    parts += [(OnRank, each) for all_of in found["on_ranks"].to_pylist() for each in all_of or ()]
    every = [*figures, shares, *(found[name] for name in _FIGURES)]
    sound = all(map(_are_figures, every)) and all(map(_holds, rules))
    sound = sound and _has_causes(found) and all(starmap(_reads_as, parts))
    return sound and all(map(_is_problem, found["problem"].to_pylist()))


def _reads_as(kind: type, data: Mapping[str, Any]) -> bool:
    """Whether a struct of a column has every field of its type, as a record holds it."""
    try:
        from_json(kind, json.dumps(data))
    except ValueError:
        return False
    return True


def _has_causes(found: pa.Table) -> bool:
    """Whether the cause of every record is one of its status."""
    pairs = zip(found["status"].to_pylist(), found["cause"].to_pylist(), strict=True)
    return all(cause in CAUSES.get(status, ()) for status, cause in pairs)


def _is_problem(text: str) -> bool:
    try:
        Problem.parse(text)
    except ValueError:
        return False
    return True


def _texts(values: Iterable[str]) -> pa.Array:
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own

    return pa.array(list(values), pa.string())


def _holds(rule: Any) -> bool:
    """Whether a rule holds for every row; it does not hold for a null."""
    return rule.null_count == 0 and bool(len(rule) == 0 or all(rule.to_pylist()))


def _are_figures(values: Any) -> bool:
    """Whether every value is null or a finite number of 0 or more."""
    from pyarrow import compute  # noqa: PLC0415 - an extra of its own

    ends = compute.min_max(values).as_py()
    nan = compute.any(compute.is_nan(values)).as_py()
    return not nan and (ends["min"] is None or 0 <= ends["min"] <= ends["max"] < math.inf)


def _panels(found: pa.Table, panels: Mapping[str, str]) -> pa.Array:
    """The panel of each record: that of its implementation, or of steps of models."""
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own

    pairs = zip(found["implementation"].to_pylist(), found["model"].to_pylist(), strict=True)
    kinds = _texts(panel_on(panels.get(name, ""), model) for name, model in pairs)
    return pa.chunked_array([kinds])


def _with_columns(found: pa.Table, panels: Mapping[str, str], cases: Mapping[str, str]) -> pa.Table:
    """The table with the fields of each problem, its labels, and each implementation's panel."""
    import pyarrow as pa  # noqa: PLC0415 - an extra of its own

    coded = {name: found[name].combine_chunks().dictionary_encode() for name in _NAMES}
    for name, column in coded.items():
        found = found.set_column(found.schema.get_field_index(name), name, column)
    problems = coded["problem"]
    columns = [problem_columns(Problem.parse(t)) for t in problems.dictionary.to_pylist()]
    for name in PROBLEM_COLUMNS:
        values = pa.array((row[name] for row in columns), _kind(name))
        found = found.append_column(name, values.take(problems.indices))
    found = found.append_column("panel", _panels(found, panels))
    if not cases:
        return found
    labels = _texts(cases.get(text, "") for text in problems.dictionary.to_pylist())
    return found.append_column(CASE, labels.take(problems.indices))
