"""Write keras_iris.onnx, which the repository holds so that the tests need no Keras.

Made with Keras 3.15.1 on PyTorch 2.13: ``KERAS_BACKEND=torch python make_keras_iris.py``.
"""

from __future__ import annotations

from pathlib import Path

from sklearn.datasets import load_iris

PLACE = Path(__file__).with_name("keras_iris.onnx")


def main() -> None:
    import keras

    keras.utils.set_random_seed(0)
    X, y = load_iris(return_X_y=True)
    net = keras.Sequential(
        [
            keras.Input((4,), name="X"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    net.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    net.fit(X[::2].astype("float32"), y[::2], epochs=80, verbose=0)
    net.export(PLACE, format="onnx", verbose=False)


if __name__ == "__main__":
    main()
