"""What IoT Core does when a device provisions itself, on the stand-in.

IoT Core carries out the template with the provisioning role: a thing of the type, in the group, with the certificate
and the policy. Each call is made only where the role's policies let it.
https://docs.aws.amazon.com/iot/latest/developerguide/provision-template.html
"""

import json

import boto3
from moto.iam.access_control import IAMPolicy, PermissionResult


def provision(port, template, role):
    """The device `s01-sw` by a provisioning template, with the rights of a role: what was done, and what is there."""
    at = lambda service: boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
    iot, iam = at("iot"), at("iam")
    policies = [
        IAMPolicy(json.dumps(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]))
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    account = at("sts").get_caller_identity()["Account"]

    def may(action, resource):
        arn = f"arn:aws:iot:us-east-1:{account}:{resource}"
        return any(policy.is_action_permitted(f"iot:{action}", arn) == PermissionResult.PERMITTED for policy in policies)

    resources = json.loads(template)["Resources"]
    thing = resources["thing"]["Properties"]
    # The hook overrides the serial number with the name of the sensor.
    name = {"SerialNumber": "s01-sw"}[thing["ThingName"]["Ref"]]
    thing_type, group = thing["ThingTypeName"], thing["ThingGroups"][0]
    policy = resources["policy"]["Properties"]["PolicyName"]
    certificate = iot.create_keys_and_certificate(setAsActive=False)
    arn, certificate_id = certificate["certificateArn"], certificate["certificateId"]
    # Resources of each action: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
    steps = [
        ("DescribeThingType", [f"thingtype/{thing_type}"], lambda: iot.describe_thing_type(thingTypeName=thing_type)),
        ("CreateThing", [f"thing/{name}"], lambda: iot.create_thing(thingName=name, thingTypeName=thing_type)),
        ("DescribeThingGroup", [f"thinggroup/{group}"], lambda: iot.describe_thing_group(thingGroupName=group)),
        (
            "AddThingToThingGroup",
            [f"thing/{name}", f"thinggroup/{group}"],
            lambda: iot.add_thing_to_thing_group(thingName=name, thingGroupName=group),
        ),
        (
            "UpdateCertificate",
            [f"cert/{certificate_id}"],
            lambda: iot.update_certificate(certificateId=certificate_id, newStatus="ACTIVE"),
        ),
        ("AttachPolicy", [f"cert/{certificate_id}"], lambda: iot.attach_policy(policyName=policy, target=arn)),
        (
            "AttachThingPrincipal",
            [f"cert/{certificate_id}"],
            lambda: iot.attach_thing_principal(thingName=name, principal=arn),
        ),
    ]
    refused = []
    for action, needed, call in steps:
        if all(may(action, resource) for resource in needed):
            call()
        else:
            refused.append(action)
    others = [("CreatePolicy", "policy/other"), ("DeleteThing", f"thing/{name}"), ("DeleteCertificate", "cert/other")]
    others += [("AddThingToThingGroup", "thinggroup/other"), ("Publish", "topic/other"), ("Connect", "client/other")]
    return {
        "refused": refused,
        "mayBesides": [action for action, resource in others if may(action, resource)],
        "type": iot.describe_thing(thingName=name)["thingTypeName"],
        "groups": [found["groupName"] for found in iot.list_thing_groups_for_thing(thingName=name)["thingGroups"]],
        "certificates": [principal == arn for principal in iot.list_thing_principals(thingName=name)["principals"]],
        "policies": [found["policyName"] for found in iot.list_attached_policies(target=arn)["policies"]],
        "status": iot.describe_certificate(certificateId=certificate_id)["certificateDescription"]["status"],
    }
