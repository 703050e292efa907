"""A peer of `cargo xtask bench evaluate`: counters of each point and compressed sizes of all traces, as one would
write it in Python: json, gzip, two processes. `python3 python_peer.py PROCESSES LIST-OF-FILES`"""

import gzip
import json
import sys
from collections import defaultdict
from multiprocessing import Pool


def read(path):
    points = defaultdict(lambda: [0, 0, 0, 0, 0.0, 0, 0])
    with open(path, encoding="utf-8-sig") as lines:
        for line in lines:
            if not line.strip():
                continue
            record = json.loads(line)
            params = json.dumps(record["params"], sort_keys=True)
            point = points[record["model"], record["template"], record["sampler"], record["base_task"], params]
            if record.get("error") is not None:
                point[3] += 1
                continue
            trace = (record.get("reasoning") or "") + (record.get("response") or "")
            point[5] += record.get("completion_tokens") or 0
            point[6] += len(gzip.compress(trace.encode(), 6)) if trace else 0
            if record.get("truncated"):
                point[2] += 1
                continue
            point[0] += bool(record["correct"])
            point[1] += 1
            point[4] += record.get("guess_chance") or 0.0
    return dict(points)


def main():
    with open(sys.argv[2], encoding="utf-8") as paths:
        files = paths.read().split("\n")
    total = defaultdict(lambda: [0, 0, 0, 0, 0.0, 0, 0])
    with Pool(int(sys.argv[1])) as pool:
        for points in pool.imap_unordered(read, files):
            for key, counts in points.items():
                total[key] = [a + b for a, b in zip(total[key], counts)]
    print(len(total), "points")


if __name__ == "__main__":
    main()
