#!/usr/bin/env python3
"""Coefficients of include/unmask/simd/math.hpp: minimax polynomials by iteratively reweighted least squares on
Chebyshev nodes (Lawson 1961). Coefficients are rounded to float one after the other, lowest power first, and the
higher ones fitted again. Needs numpy and scipy."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr


def nodes(low, high, n=3000):
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(n) + 0.5) / n)


def minimax(x, f, weight, powers):
    basis = (x[:, None] / x.max()) ** powers
    importance, best = np.ones_like(x), (np.inf, None)
    for _ in range(100):
        a = weight * np.sqrt(importance)
        c = np.linalg.lstsq(basis * a[:, None], f * a, rcond=None)[0]
        error = abs(weight * (basis @ c - f))
        if error.max() < best[0]:
            best = error.max(), c / x.max() ** powers
        importance *= error / error.max() + 1e-3
        importance /= importance.sum()
    return best


def fit(name, x, f, weight, degree, constant=None):
    """Prints the coefficients, highest power first as Horner's rule wants them."""
    known = [] if constant is None else [np.float32(constant)]
    while len(known) <= degree:
        rest = f - np.polynomial.polynomial.polyval(x, np.array(known, float)) if known else f
        known.append(np.float32(minimax(x, rest, weight, np.arange(len(known), degree + 1))[1][0]))
    error = abs(weight * (np.polynomial.polynomial.polyval(x, np.array(known, float)) - f)).max()
    print(f"{name}, error {error:.2g}:\n  " + ", ".join(f"{float(c):.9g}f" for c in reversed(known)))
    return np.array(known, float)


# 2^f and e^f, relative error; 1 at 0 keeps powers of two exact
f = nodes(-0.5, 0.5)
fit("exp2", f, 2**f, 2**-f, 5, constant=1)
f = nodes(-np.log(2) / 2, np.log(2) / 2)
fit("exp", f, np.exp(f), np.exp(-f), 5, constant=1)

# Q(a) = P(X > a) of the normal distribution. g = log2 Q, weighted by the error of max(a, 1/2) Q; the floor of 1e-5
# keeps the tail falling and right to 0.25 %. Q - a phi(a) = Q (1 - a phi / Q), weighted by Q.
a = nodes(0, 6)
Q = np.exp(log_ndtr(-a))
phi = np.exp(-a * a / 2) / np.sqrt(2 * np.pi)
g = fit("log2 of the upper tail", a, np.log2(Q), np.maximum(a, 0.5) * Q * np.log(2) + 1e-5, 8, constant=-1)
fit("slope over tail", a, 1 - a * phi / Q, Q + 1e-7, 8, constant=1)

tail = lambda x: np.polynomial.polynomial.polyval(x, g)
print("tail falls on [0, 12]:", bool((np.diff(tail(np.linspace(0, 12, 100000))) < 0).all()))
print("2^tail is zero from", brentq(lambda x: tail(x) + 127, 6, 12))
