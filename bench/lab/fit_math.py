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

# Q(a) = P(X > a) of the normal distribution. g = log2 Q, weighted by the error of max(a, 1/2) Q; the floor of 1e-9
# keeps the tail falling. Q - a phi(a) = Q (zero - a) r(a), weighted by what multiplies r.
a = nodes(0, 6)
Q = np.exp(log_ndtr(-a))
g = fit("log2 of the upper tail", a, np.log2(Q), np.maximum(a, 0.5) * Q * np.log(2) + 1e-9, 8, constant=-1)
slope = lambda a: 1 - a * np.exp(-a * a / 2 - log_ndtr(-a)) / np.sqrt(2 * np.pi)
zero = brentq(slope, 0, 1, xtol=1e-15)
print(f"zero of the slope: {float(np.float32(zero)):.9g}f, off by {float(np.float32(zero)) - zero:.2g}")
fit("slope over tail and zero - a", a, slope(a) / (zero - a), Q * abs(zero - a) + 1e-9, 7, constant=1 / zero)

tail = lambda x: np.polynomial.polynomial.polyval(x, g)
print("tail falls on [0, 11]:", bool((np.diff(tail(np.linspace(0, 11, 100000))) < 0).all()))
print("2^tail is zero from", brentq(lambda x: tail(x) + 127, 6, 11))
