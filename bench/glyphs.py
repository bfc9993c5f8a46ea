"""Embedded digits drawn a second, on one thread (the aim: 5,000 and more at 28x28).

python bench/glyphs.py
"""

import statistics
import time

import torch

from zerosum.data.glyphs import glyphs

from judge import keep

torch.set_num_threads(1)
glyphs(1000)
speeds = {}
for size in (28, 64):
    seconds = []
    for seed in range(5):
        start = time.process_time()
        glyphs(4000, size=size, seed=seed)
        seconds.append(time.process_time() - start)
    speeds[f"{size}x{size}"] = round(4000 / statistics.median(seconds))
print(speeds)
print(keep("glyphs", {"images_per_cpu_second": speeds, "seeds": [0, 1, 2, 3, 4], "images": 4000}))
