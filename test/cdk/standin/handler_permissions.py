"""The permissions that CloudFormation's handlers of types need, by CloudFormation's registry schemas as cfn-lint ships
them: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html

Reads a JSON list of types from standard input. Prints a JSON object: type to permissions, null where its schema names
none.
"""

import json
import os
import sys

import cfnlint

SCHEMAS = os.path.join(os.path.dirname(cfnlint.__file__), "data", "schemas")
with open(os.path.join(SCHEMAS, "providers", "us-east-1.json"), encoding="utf-8") as file:
    files = json.load(file)


def permissions(type_name):
    if type_name not in files:
        return None
    with open(os.path.join(SCHEMAS, "resources", f"{files[type_name]}.json"), encoding="utf-8") as file:
        handlers = json.load(file).get("handlers")
    if handlers is None:
        return None
    return sorted({one for name in handlers if name != "list" for one in handlers[name].get("permissions", [])})


print(json.dumps({type_name: permissions(type_name) for type_name in json.load(sys.stdin)}))
