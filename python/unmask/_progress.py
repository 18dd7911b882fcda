"""Progress for people: a tqdm bar where asked for and installed, or any callable."""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

#: True: a tqdm bar; a callable: gets (stage, done, of, residual).
Progress = Union[bool, Callable[[str, int, int, float], Any], None]


class _Bar:
    """One bar a stage."""

    def __init__(self) -> None:
        from tqdm.auto import tqdm  # ImportError says what is missing

        self._make, self._bar, self._stage = tqdm, None, ""

    def __call__(self, stage: str, done: int, of: int, residual: float) -> None:
        if self._bar is None or stage != self._stage:
            self.close()
            self._bar, self._stage = self._make(total=of, desc=stage), stage
        self._bar.update(done - self._bar.n)
        if residual == residual:
            self._bar.set_postfix_str(f"residual {residual:.4f}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class shown:
    """`with shown(progress) as tell:` gives the core's callable, or None, and closes what it opened."""

    def __init__(self, progress: Progress) -> None:
        self._bar = _Bar() if progress is True else None
        self._call = self._bar or (progress if callable(progress) else None)

    def __enter__(self) -> Optional[Callable[..., Any]]:
        return self._call

    def __exit__(self, *_: Any) -> None:
        if self._bar is not None:
            self._bar.close()
