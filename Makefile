PY := .venv/bin/python

.PHONY: lock
lock:
	.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-package cadence-contracts --no-header -o requirements.lock pyproject.toml
	.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-package cadence-contracts --no-emit-package cadence-engine --no-header --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
