"""The DCGAN of the best-known TensorFlow tutorial as that tutorial trains it, written anew: a contestant of speed.py.

    python bench/tutorial_tensorflow.py IMAGES.npy BATCH THREADS

Read by another interpreter, which has tensorflow-cpu and need not have torch. It says "ready", then answers every line
with a number of rounds by the seconds that they took: CPU time where one thread plays.
"""

import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

LATENT = 100


def generator():
    grow = {"padding": "same", "use_bias": False}
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(7 * 7 * 256, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, 5, 1, **grow),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Conv2DTranspose(64, 5, 2, **grow),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Conv2DTranspose(1, 5, 2, activation="tanh", **grow),
        ]
    )


def discriminator():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(64, 5, 2, padding="same"),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Dropout(0.3),
            layers.Conv2D(128, 5, 2, padding="same"),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def main() -> None:
    path, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    images = np.load(path).astype("float32") / 127.5 - 1
    batches = iter(tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(batch, True).repeat())
    G, D = generator(), discriminator()
    judged = keras.losses.BinaryCrossentropy(from_logits=True)
    G_adam, D_adam = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)

    @tf.function
    def update(x):
        z = tf.random.normal([batch, LATENT])
        with tf.GradientTape() as of_G, tf.GradientTape() as of_D:
            fakes = G(z, training=True)
            real, fake = D(x, training=True), D(fakes, training=True)
            G_loss = judged(tf.ones_like(fake), fake)
            D_loss = judged(tf.ones_like(real), real) + judged(tf.zeros_like(fake), fake)
        G_slopes = of_G.gradient(G_loss, G.trainable_variables)
        D_slopes = of_D.gradient(D_loss, D.trainable_variables)
        G_adam.apply_gradients(zip(G_slopes, G.trainable_variables, strict=True))
        D_adam.apply_gradients(zip(D_slopes, D.trainable_variables, strict=True))

    clock = time.process_time if threads == 1 else time.perf_counter
    print("ready", tf.__version__, flush=True)
    for line in sys.stdin:
        start = clock()
        for _ in range(int(line)):
            update(next(batches))
        G.trainable_variables[0].numpy()  # wait for the last update
        print(clock() - start, flush=True)


if __name__ == "__main__":
    main()
