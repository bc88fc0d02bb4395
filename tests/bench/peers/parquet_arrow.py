# parquet_arrow.py -- make FILE ROWS COLS; read FILE; write FILE OUT: pyarrow on one core, with the settings of `micon export --format
# parquet`. Prints the processor seconds of the best of three.
import sys, time
import numpy as np, pyarrow as pa, pyarrow.parquet as pq

pa.set_cpu_count(1)
pa.set_io_thread_count(1)


def write(table, path):
    text = [n for n in table.column_names if n.startswith("Metadata_")]
    pq.write_table(table, path, compression="zstd", row_group_size=65536, use_dictionary=text, write_page_checksum=True,
                   write_statistics=False, store_schema=False)


def best(work):
    seconds = []
    for _ in range(3):
        t = time.process_time()
        work()
        seconds.append(time.process_time() - t)
    print("cpu %.4f" % min(seconds))


if sys.argv[1] == "make":
    n, d = int(sys.argv[3]), int(sys.argv[4])
    rng = np.random.default_rng(1)
    cols = {"Metadata_Plate": ["P%03d" % (i // 384) for i in range(n)], "Metadata_Well": ["W%03d" % (i % 384) for i in range(n)]}
    for k in range(d): cols["Feature_%d" % k] = rng.standard_normal(n, dtype=np.float32)
    write(pa.table(cols), sys.argv[2])
elif sys.argv[1] == "read":
    best(lambda: pq.read_table(sys.argv[2], use_threads=False))
else:
    table = pq.read_table(sys.argv[2], use_threads=False)
    best(lambda: write(table, sys.argv[3]))
