"""Translates Athena's SQL to DuckDB's. Reads a JSON list of statements, prints a JSON list of them translated."""

import json
import sys

import sqlglot

print(
    json.dumps(
        [
            sqlglot.transpile(sql, read="athena", write="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)[0]
            for sql in json.load(sys.stdin)
        ]
    )
)
