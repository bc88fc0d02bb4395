"""parquet_ref.py DUMP MAKE FOLDER -- writes Parquet files with pyarrow (and pandas, polars, duckdb where they are installed) in many
variants, has DUMP (tests/tools/parquet_dump) print each as CSV, and compares cell by cell with what it wrote; then has MAKE
(tests/tools/parquet_make) write tables, and reads them with each of these. Prints TAP."""
import csv, datetime, decimal, io, math, os, subprocess, sys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

dump, make, folder = sys.argv[1:4]
n_tests = bad = 0
rng = np.random.default_rng(3)


def ok(good, what):
    global n_tests, bad
    n_tests += 1
    bad += not good
    print(f"{'ok' if good else 'not ok'} {n_tests} - {what}")


def real(v, single):
    if math.isnan(v): return "nan"
    if math.isinf(v): return "-inf" if v < 0 else "inf"
    return float(v)


def as_text(v, t):
    """What a cell should say; reals as numbers, compared as such."""
    if v is None: return ""
    if pa.types.is_floating(t): return real(v, pa.types.is_float32(t))
    if pa.types.is_boolean(t): return "true" if v else "false"
    if pa.types.is_decimal(t): return format(v, "f")
    if pa.types.is_date(t): return v.isoformat()
    if pa.types.is_timestamp(t):
        utc = "+00:00" if t.tz else ""
        whole, rest = divmod(v.value if hasattr(v, "value") else v, {"s": 10**3, "ms": 10**3, "us": 10**6, "ns": 10**9}[t.unit])
        d = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=whole)
        width = {"s": 3, "ms": 3, "us": 6, "ns": 9}[t.unit]
        return str(d.replace(microsecond=0)) + (("." + str(rest).rjust(width, "0")).rstrip("0") if rest else "") + utc
    if pa.types.is_time(t):
        return v.strftime("%H:%M:%S") + (f".{v.microsecond:06d}".rstrip("0") if v.microsecond else "")
    if isinstance(v, bytes): return v.decode("latin1")
    return str(v)


def cells(column):
    t = column.type
    if pa.types.is_dictionary(t):
        column = column.cast(t.value_type)
        t = column.type
    if pa.types.is_timestamp(t):
        values = column.cast(pa.timestamp({"s": "ms"}.get(t.unit, t.unit))).cast(pa.int64()).to_pylist()
    else:
        values = column.to_pylist()
    return [as_text(v, t) for v in values], t


def same(got, want, t):
    if isinstance(want, float):
        try: g = float(got)
        except ValueError: return False
        if pa.types.is_float32(t): return np.float32(g) == np.float32(want)
        return (np.float16(g) == np.float16(want)) if pa.types.is_float16(t) else g == want
    return got == want


def check(path, table, what):
    run = subprocess.run([dump, path], capture_output=True)
    if run.returncode:
        print("#", run.stderr.decode(errors="replace"))
        return ok(False, what)
    rows = list(csv.reader(io.StringIO(run.stdout.decode("utf-8", errors="surrogateescape"), newline="")))
    if rows[0] != table.column_names or len(rows) - 1 != table.num_rows:
        print("#", len(rows) - 1, "rows for", table.num_rows)
        return ok(False, what)
    for j, name in enumerate(table.column_names):
        want, t = cells(table.column(name))
        for i, w in enumerate(want):
            if not same(rows[i + 1][j], w, t):
                print(f"# {name}, row {i}: got {rows[i + 1][j]!r}, want {w!r}")
                return ok(False, what)
    ok(True, what)


def with_nulls(values, share):
    if not share: return list(values)
    mask = rng.random(len(values)) < share
    return [None if m else v for m, v in zip(mask, values)]


def table(n, share=0.2):
    words = ["", "a", "DMSO", "é,\"quoted\"", "line\nend", "x" * 300] + [f"JCP2022_{i:06d}" for i in range(50)]
    ints = rng.integers(-2**31, 2**31, n)
    columns = {
        "bool": pa.array(with_nulls((rng.random(n) < 0.3).tolist(), share)),
        "i8": pa.array(with_nulls(rng.integers(-128, 128, n).tolist(), share), pa.int8()),
        "u16": pa.array(with_nulls(rng.integers(0, 65536, n).tolist(), share), pa.uint16()),
        "i32": pa.array(with_nulls(ints.tolist(), share), pa.int32()),
        "u32": pa.array(with_nulls(rng.integers(0, 2**32, n).tolist(), share), pa.uint32()),
        "i64": pa.array(with_nulls(rng.integers(-2**63, 2**63 - 1, n).tolist(), share), pa.int64()),
        "u64": pa.array(with_nulls(rng.integers(0, 2**64 - 1, n, dtype=np.uint64).tolist(), share), pa.uint64()),
        "small": pa.array(with_nulls(np.sort(rng.integers(0, 1000, n)).tolist(), share), pa.int64()),
        "f32": pa.array(with_nulls(rng.normal(size=n).astype(np.float32).tolist(), share), pa.float32()),
        "f64": pa.array(with_nulls((rng.normal(size=n) * 10.0 ** rng.integers(-300, 300, n)).tolist(), share), pa.float64()),
        "text": pa.array(with_nulls([words[i] for i in rng.integers(0, len(words), n)], share), pa.string()),
        "sorted": pa.array(with_nulls(sorted(f"s3://bucket/plate/{i:08d}.tif" for i in rng.integers(0, 10**6, n)), share), pa.string()),
        "date": pa.array(with_nulls([datetime.date(1970, 1, 1) + datetime.timedelta(days=int(d))
                                     for d in rng.integers(-200000, 200000, n)], share)),
        "ms": pa.array(with_nulls(rng.integers(-10**13, 10**13, n).tolist(), share), pa.timestamp("ms")),
        "us": pa.array(with_nulls(rng.integers(-10**15, 10**15, n).tolist(), share), pa.timestamp("us", "UTC")),
        "ns": pa.array(with_nulls(rng.integers(-10**18, 10**18, n).tolist(), share), pa.timestamp("ns")),
        "time": pa.array(with_nulls([datetime.time(int(s) // 3600, int(s) // 60 % 60, int(s) % 60, int(s))
                                     for s in rng.integers(0, 86400, n)], share), pa.time64("us")),
        "dec9": pa.array(with_nulls([decimal.Decimal(int(v)).scaleb(-2) for v in rng.integers(-10**8, 10**8, n)], share),
                         pa.decimal128(9, 2)),
        "dec38": pa.array(with_nulls([decimal.Decimal(int(v) * 10**15 + 7).scaleb(-20)
                                      for v in rng.integers(-10**18, 10**18, n)], share), pa.decimal128(38, 20)),
        "category": pa.array(with_nulls([words[i] for i in rng.integers(0, 6, n)], share)).dictionary_encode(),
        "nothing": pa.array([None] * n, pa.string()),
    }
    return pa.table(columns)


def write(name, t, **options):
    path = os.path.join(folder, name + ".parquet")
    pq.write_table(t, path, **options)
    return path


t = table(3000)
full = table(3000, 0)
strict = full.drop(["nothing"])
strict = strict.cast(pa.schema([f.with_nullable(False) for f in strict.schema]))
for codec in ["none", "snappy", "gzip", "zstd", "lz4"]:
    for page in ["1.0", "2.0"]:
        for dictionary in [True, False]:
            p = write(f"v{page}_{codec}_{dictionary}", t, compression=codec, data_page_version=page, use_dictionary=dictionary,
                      data_page_size=4000, row_group_size=1100)
            check(p, t, f"pages {page}, {codec}, {'with' if dictionary else 'without'} dictionaries")
check(write("strict", strict, data_page_version="2.0", compression="zstd"), strict, "required columns, pages 2.0")
check(write("strict1", strict, compression="snappy"), strict, "required columns, pages 1.0")
for version in ["1.0", "2.4", "2.6"]:
    u = t.drop(["ns"]) if version != "2.6" else t
    if version == "1.0": u = u.drop(["u32"])
    check(write(f"format{version}", u, version=version, coerce_timestamps=None), u, f"format {version}")
encodings = {"i32": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED", "small": "DELTA_BINARY_PACKED",
             "date": "DELTA_BINARY_PACKED", "ms": "DELTA_BINARY_PACKED",
             "text": "DELTA_LENGTH_BYTE_ARRAY", "sorted": "DELTA_BYTE_ARRAY", "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT",
             "bool": "RLE", "dec38": "DELTA_BYTE_ARRAY"}
for page in ["1.0", "2.0"]:
    for size in [500, 100000]:
        for src, label in [(t, "with missing values"), (full, "without")]:
            p = write("encodings", src, use_dictionary=False, column_encoding=encodings, data_page_version=page,
                      data_page_size=size, compression="zstd")
            check(p, src, f"the delta encodings, RLE and BYTE_STREAM_SPLIT, pages {page} of {size} bytes, {label}")
split = {"i32": "BYTE_STREAM_SPLIT", "i64": "BYTE_STREAM_SPLIT", "dec38": "BYTE_STREAM_SPLIT", "sorted": "DELTA_LENGTH_BYTE_ARRAY",
         "text": "DELTA_BYTE_ARRAY"}
check(write("split", t, use_dictionary=False, column_encoding=split), t, "BYTE_STREAM_SPLIT of integers and decimals")
half = pa.table({"f16": pa.array(np.array([0, 1, -2.5, 65504, 6e-8, np.nan, np.inf, -np.inf], np.float16)),
                 "f32": pa.array(np.array([0, -0.0, 1e38, 1e-45, np.nan, np.inf, 0.1, 16777217], np.float32))})
check(write("half", half), half, "half floats, and floats that are not finite")
check(write("rows0", t.slice(0, 0)), t.slice(0, 0), "no rows")
check(write("rows1", t.slice(0, 1)), t.slice(0, 1), "one row")
check(write("groups", t, row_group_size=7), t, "row groups of seven rows")
check(write("dates_96", t.select(["i32", "us"]), use_deprecated_int96_timestamps=True),
      pa.table({"i32": t["i32"], "us": t["us"].cast(pa.timestamp("ns"))}), "INT96 timestamps")
spark = t.select(["bool", "i32", "i64", "f32", "f64", "text", "date", "dec9", "dec38", "us"])
spark_text = spark.set_column(9, "us", spark["us"].cast(pa.timestamp("ns")))
for integers, label in [(False, "of before 3.0"), (True, "of 3")]:  # decimals; dictionaries too large for a page, in the middle of a chunk
    check(write("spark", spark, flavor="spark", use_deprecated_int96_timestamps=True, store_decimal_as_integer=integers,
                dictionary_pagesize_limit=3000, data_page_size=2000, row_group_size=2000), spark_text, f"as Spark {label} writes")
wide = pa.table({f"feature_{i}": pa.array(rng.normal(size=20).astype(np.float32)) for i in range(10000)})
check(write("wide", wide), wide, "10,000 columns")
long = pa.table({"k": pa.array(["same"] * 300000), "i": pa.array(range(300000)), "r": pa.array(rng.integers(0, 70000, 300000))})
check(write("long", long, data_page_size=1 << 22), long, "300,000 rows, runs and 17-bit indices")
nulls = pa.table({"a": pa.array([None] * 5000, pa.float32()), "b": pa.array([None] * 4999 + ["x"])})
check(write("nulls", nulls), nulls, "hardly anything but missing values")


def floats(path, t, what):
    run = subprocess.run([dump, path, "f32"], capture_output=True)
    got = np.array([int(x, 16) for x in run.stdout.split()], np.uint32).view(np.float32)
    want = []
    for name in t.column_names:
        k = t.schema.field(name).type
        if pa.types.is_floating(k) or pa.types.is_integer(k) or pa.types.is_decimal(k):
            want += [np.nan if v is None else np.float32(float(v)) if pa.types.is_decimal(k) else np.float32(v)
                     for v in t.column(name).to_pylist()]
    ok(run.returncode == 0 and len(got) == len(want) and np.array_equal(got, np.array(want, np.float32), equal_nan=True), what)


with np.errstate(all="ignore"):
    floats(os.path.join(folder, "groups.parquet"), t, "all kinds of numbers as floats, row groups of seven")
    floats(os.path.join(folder, "v2.0_zstd_True.parquet"), t, "all kinds of numbers as floats, dictionaries")
    floats(os.path.join(folder, "half.parquet"), half, "half floats as floats")

for module in ["pandas", "polars", "duckdb"]:
    try:
        lib = __import__(module)
    except ImportError:
        n_tests += 1
        print(f"ok {n_tests} - files of {module} # SKIP {module} is not installed")
        continue
    plain = t.select(["bool", "i32", "i64", "u64", "f32", "f64", "text", "sorted"])
    for codec in ["snappy", "zstd", "gzip"]:
        p = os.path.join(folder, f"{module}_{codec}.parquet")
        if module == "pandas":
            plain.to_pandas(types_mapper=lib.ArrowDtype).to_parquet(p, compression=codec, index=False)
        elif module == "polars":
            lib.from_arrow(plain).write_parquet(p, compression=codec, row_group_size=900, data_page_size=3000)
        else:
            for v in ["V1", "V2"]:
                con = lib.connect()
                con.register("plain", plain)
                con.execute(f"COPY (SELECT * FROM plain) TO '{p}' (FORMAT parquet, "
                            f"COMPRESSION {codec}, PARQUET_VERSION {v}, ROW_GROUP_SIZE 2048)")
                check(p, plain, f"duckdb, {codec}, {v}")
            continue
        check(p, plain, f"{module}, {codec}")

# ---- ours, read by the others ----
def ours(n, group, what, missing=0.2):
    words = ["DMSO", "é", "", "x" * 1000, "a,b", "JCP2022_033924"]
    text = [words[i] for i in rng.integers(0, 6, n)]
    x = rng.normal(size=(n, 5)).astype(np.float32)
    if missing: x[rng.random(x.shape) < missing] = np.nan
    if n: x[0] = 1
    path = os.path.join(folder, "ours.csv")
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, lineterminator="\n")
        w.writerow(["Metadata_Compound", "Metadata_Plate", "Metadata_None"] + [f"Cells_{j}" for j in range(5)])
        for i in range(n): w.writerow([text[i], f"P{i // 50}", ""] + ["" if np.isnan(v) else repr(float(v)) for v in x[i]])
    p = os.path.join(folder, "ours.parquet")
    if subprocess.run([make, path, p, str(group)]).returncode: return ok(False, what)
    want = {"Metadata_Compound": [t or None for t in text], "Metadata_Plate": [f"P{i // 50}" for i in range(n)],
            "Metadata_None": [None] * n}
    want.update({f"Cells_{j}": [None if np.isnan(v) else float(v) for v in x[:, j]] for j in range(5)})
    pf = pq.ParquetFile(p, page_checksum_verification=True)
    t = pf.read()
    ok(t.to_pydict() == want and (n == 0 or t.schema.field("Cells_0").type == pa.float32() and
                              t.schema.field("Metadata_Plate").type == pa.string()), f"{what}: pyarrow, checksums too")
    for module in ["pandas", "polars", "duckdb"]:
        try:
            lib = __import__(module)
        except ImportError:
            continue
        if module == "pandas":
            got = {k: [None if v is None or v != v else v for v in c] for k, c in lib.read_parquet(p).to_dict("list").items()}
        elif module == "polars":
            got = lib.read_parquet(p).to_dict(as_series=False)
        else:
            got = lib.sql(f"SELECT * FROM read_parquet('{p}')").fetchall()
            got = {k: [r[i] for r in got] for i, k in enumerate(want)}
        ok(got == want, f"{what}: {module}")


ours(0, 10, "ours, no rows")
ours(1, 10, "ours, one row")
ours(1000, 64, "ours, row groups of 64")
ours(1003, 1000, "ours, bits that end in the middle of a byte")
ours(500, 1000, "ours, no value missing", 0)

nested = pa.table({"a": pa.array([1, 2]), "l": pa.array([[1], [2, 3]])})
run = subprocess.run([dump, write("nested", nested)], capture_output=True)
ok(run.returncode == 1 and b"nested or a list" in run.stderr, "a list is refused by name")
run = subprocess.run([dump, write("brotli", t.select(["i32"]), compression="brotli")], capture_output=True)
ok(run.returncode == 1 and b"brotli, which is not read" in run.stderr, "brotli is refused by name")
print(f"1..{n_tests}\n# {n_tests - bad} passed, {bad} failed")
sys.exit(bad > 0)
