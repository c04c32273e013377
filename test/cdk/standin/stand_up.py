"""Creates the stacks of a cloud assembly on moto's AWS stand-in by CloudFormation, and reads back what exists then.

usage: stand_up.py ASSEMBLY_FOLDER PORT

The deployed copy lacks the types that moto doesn't know. References to them become placeholders.
Prints one JSON object: `stacks` (name to status), `cut` (types), `found` (what the services list), `provisioned` (what
became of a device that provisioned itself).
"""

import io
import json
import os
import sys
import zipfile

os.environ.update(
    AWS_ACCESS_KEY_ID="stand-in",
    AWS_SECRET_ACCESS_KEY="stand-in",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

import importlib
import logging

import boto3
from botocore.config import Config
from moto.backends import list_of_moto_modules
from moto.cloudformation.parsing import NULL_MODELS, get_model_map
from moto.server import ThreadedMotoServer

import more_types
import provision

ACCOUNT = "123456789012"
# Types whose reference is an ARN.
REFERENCE_IS_ARN = {"AWS::SecretsManager::SecretTargetAttachment"}
# Properties that moto's CloudFormation fails on: it reads a key's tags by names that they don't have.
UNREADABLE = {"AWS::KMS::Key": ["Tags"]}


# A type is known once the module of its service is imported.
for module in list_of_moto_modules():
    try:
        importlib.import_module(f"moto.{module}.models")
    except ImportError:
        pass


def client(service, port):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        config=Config(retries={"max_attempts": 0}),
    )


def load(folder):
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        artifacts = json.load(file)["artifacts"]
    stacks = {name: artifact for name, artifact in artifacts.items() if artifact["type"] == "aws:cloudformation:stack"}
    ordered, placed = [], set()

    def place(name):
        if name in placed:
            return
        placed.add(name)
        for needed in stacks[name].get("dependencies", []):
            if needed in stacks:
                place(needed)
        ordered.append(name)

    for name in stacks:
        place(name)
    for name in ordered:
        with open(os.path.join(folder, stacks[name]["properties"]["templateFile"]), encoding="utf-8") as file:
            yield stacks[name]["properties"]["stackName"], json.load(file)


def without(template, cut):
    """The template without resources of the cut types. References to them become texts that name them."""
    gone = {name for name, resource in template["Resources"].items() if resource["Type"] in cut}

    def arn(path):
        return f"arn:aws:cut:us-east-1:{ACCOUNT}:cut/{path}"

    def clean(value):
        if isinstance(value, list):
            return [clean(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Ref"} and value["Ref"] in gone:
            name = value["Ref"]
            return arn(name) if template["Resources"][name]["Type"] in REFERENCE_IS_ARN else f"cut-{name}"
        if set(value) == {"Fn::GetAtt"} and value["Fn::GetAtt"][0] in gone:
            name, attribute = value["Fn::GetAtt"]
            return arn(f"{name}/{attribute}") if "Arn" in attribute else f"cut-{name}-{attribute}"
        return {key: clean(item) for key, item in value.items()}

    resources = {}
    for name, resource in template["Resources"].items():
        if name in gone:
            continue
        resource = clean(resource)
        for property_name in UNREADABLE.get(resource["Type"], []):
            resource.get("Properties", {}).pop(property_name, None)
        if resource["Type"] == "AWS::ApiGateway::Method":
            # moto wants these of every integration. One that answers by itself (a preflight) has none.
            resource["Properties"]["Integration"].setdefault("IntegrationHttpMethod", "POST")
            resource["Properties"]["Integration"].setdefault("Uri", "none")
        needed = resource.pop("DependsOn", [])
        needed = [item for item in ([needed] if isinstance(needed, str) else needed) if item not in gone]
        if needed:
            resource["DependsOn"] = needed
        resources[name] = resource
    return {"Resources": resources, "Outputs": clean(template.get("Outputs", {}))}


def publish_assets(s3, templates):
    """Uploads a zip file for every function. The stand-in checks that it exists, and never runs it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.mjs", "export const handler = () => {};")
    bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-us-east-1"
    s3.create_bucket(Bucket=bucket)
    for template in templates:
        for resource in template["Resources"].values():
            for part in ("Code", "Content"):
                source = resource.get("Properties", {}).get(part)
                key = source.get("S3Key") if isinstance(source, dict) else None
                if isinstance(key, str):
                    s3.put_object(Bucket=bucket, Key=key, Body=archive.getvalue())


def read_back(port, feature_groups):
    at = lambda service: client(service, port)
    ec2, s3, logs, iam = at("ec2"), at("s3"), at("logs"), at("iam")
    pages = lambda service, operation, key: [
        item for page in service.get_paginator(operation).paginate() for item in page[key]
    ]
    buckets = {}
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        if name.startswith("cdk-"):
            continue
        encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        try:
            rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        except s3.exceptions.ClientError:
            rules = []
        buckets[name] = {
            "encryption": encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"],
            "lifecycle": len(rules),
        }
    vpcs = [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    mine = [{"Name": "vpc-id", "Values": [vpc["VpcId"] for vpc in vpcs]}]
    ecs = at("ecs")
    clusters = ecs.list_clusters()["clusterArns"]
    glue = at("glue")
    databases = [database["Name"] for database in glue.get_databases()["DatabaseList"]]
    apis = at("apigateway").get_rest_apis()["items"]
    return {
        "vpcs": [vpc["CidrBlock"] for vpc in vpcs],
        "subnets": sorted(subnet["CidrBlock"] for subnet in ec2.describe_subnets(Filters=mine)["Subnets"]),
        "securityGroups": sorted(
            group["GroupName"]
            for group in ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
            if group["GroupName"] != "default"
        ),
        "endpoints": sorted(endpoint["ServiceName"] for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]),
        "keys": sorted(
            alias["AliasName"]
            for alias in at("kms").list_aliases()["Aliases"]
            if alias["AliasName"].startswith("alias/millrace")
        ),
        "buckets": buckets,
        "tables": sorted(at("dynamodb").list_tables()["TableNames"]),
        "deliveryStreams": sorted(at("firehose").list_delivery_streams(Limit=100)["DeliveryStreamNames"]),
        "glue": {
            database: sorted(table["Name"] for table in glue.get_tables(DatabaseName=database)["TableList"])
            for database in databases
        },
        "roles": len(pages(iam, "list_roles", "Roles")),
        "rolesWithPolicies": sum(
            1
            for role in pages(iam, "list_roles", "Roles")
            if iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        ),
        "functions": sorted(
            function["FunctionName"] for function in pages(at("lambda"), "list_functions", "Functions")
        ),
        "clusters": clusters,
        "services": sorted(
            arn.split("/")[-1]
            for cluster in clusters
            for arn in ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]
        ),
        "taskDefinitions": sorted(
            arn.split("/")[-1].split(":")[0] for arn in ecs.list_task_definitions()["taskDefinitionArns"]
        ),
        "logGroups": sorted(
            (group["logGroupName"], group.get("retentionInDays"))
            for group in pages(logs, "describe_log_groups", "logGroups")
        ),
        "queues": sorted(url.split("/")[-1] for url in at("sqs").list_queues().get("QueueUrls", [])),
        "archives": {
            archive["ArchiveName"]: archive["EventSourceArn"].split("/")[-1]
            for archive in at("events").list_archives()["Archives"]
        },
        "rules": {
            bus["Name"]: sorted(rule["Name"] for rule in at("events").list_rules(EventBusName=bus["Name"])["Rules"])
            for bus in at("events").list_event_buses()["EventBuses"]
        },
        "webSocketApis": {
            api["Name"]: {
                "routes": sorted(route["RouteKey"] for route in at("apigatewayv2").get_routes(ApiId=api["ApiId"])["Items"]),
                "stages": [stage["StageName"] for stage in at("apigatewayv2").get_stages(ApiId=api["ApiId"])["Items"]],
            }
            for api in at("apigatewayv2").get_apis()["Items"]
            if api["ProtocolType"] == "WEBSOCKET"
        },
        "thingGroups": [group["groupName"] for group in at("iot").list_thing_groups()["thingGroups"]],
        "iotRules": sorted(rule["ruleName"] for rule in at("iot").list_topic_rules()["rules"]),
        "featureGroups": {
            name: at("sagemaker").describe_feature_group(FeatureGroupName=name)["OfflineStoreConfig"]["DataCatalogConfig"][
                "Database"
            ]
            for name in feature_groups
        },
        "workGroups": sorted(group["Name"] for group in at("athena").list_work_groups()["WorkGroups"]),
        "bucketsWithPolicies": sorted(name for name in buckets if s3.get_bucket_policy(Bucket=name)["Policy"]),
        "secrets": len(at("secretsmanager").list_secrets()["SecretList"]),
        "topics": sorted(topic["TopicArn"].split(":")[-1] for topic in at("sns").list_topics()["Topics"]),
        "alarms": sorted(alarm["AlarmName"] for alarm in pages(at("cloudwatch"), "describe_alarms", "MetricAlarms")),
        "privateApis": private_apis(port),
        "restApis": {
            api["name"]: sorted(
                resource["path"] for resource in at("apigateway").get_resources(restApiId=api["id"], limit=500)["items"]
            )
            for api in apis
        },
    }


def private_apis(port):
    """The APIs that only endpoints of the VPC lead to: which endpoints, whom they let in, and their methods."""
    api_gateway, ec2 = client("apigateway", port), client("ec2", port)
    found = {}
    for api in api_gateway.get_rest_apis()["items"]:
        configuration = api["endpointConfiguration"]
        if configuration["types"] != ["PRIVATE"]:
            continue
        endpoints = ec2.describe_vpc_endpoints(VpcEndpointIds=configuration["vpcEndpointIds"])["VpcEndpoints"]
        found[api["name"]] = {
            "endpoints": [
                {
                    "id": endpoint["VpcEndpointId"],
                    "service": endpoint["ServiceName"],
                    "hasPrivateNames": endpoint["PrivateDnsEnabled"],
                    "subnets": len(endpoint["SubnetIds"]),
                }
                for endpoint in endpoints
            ],
            "policy": json.loads(api["policy"])["Statement"],
            "methods": sorted(
                [verb, resource["path"], method["authorizationType"], method["methodIntegration"]["uri"].split(":")[-1]]
                for resource in api_gateway.get_resources(restApiId=api["id"], limit=500)["items"]
                for verb in resource.get("resourceMethods", {})
                for method in [
                    api_gateway.get_method(restApiId=api["id"], resourceId=resource["id"], httpMethod=verb)
                ]
            ),
        }
    return found


def provisioned(port, stacks):
    """A device that provisions itself by the template of the fleet, with the role that the template names."""
    for stack, template in stacks:
        for resource in template["Resources"].values():
            if resource["Type"] != "AWS::IoT::ProvisioningTemplate":
                continue
            role = resource["Properties"]["ProvisioningRoleArn"]["Fn::GetAtt"][0]
            details = client("cloudformation", port).describe_stack_resource(StackName=stack, LogicalResourceId=role)
            name = details["StackResourceDetail"]["PhysicalResourceId"]
            return provision.provision(port, resource["Properties"]["TemplateBody"], name)
    return None


def main(folder, port):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    logging.disable(logging.WARNING)
    more_types.register(port)
    try:
        stacks = list(load(folder))
        known = set(get_model_map()) | set(NULL_MODELS)
        used = {resource["Type"] for _, template in stacks for resource in template["Resources"].values()}
        cut = sorted(used - known)
        feature_groups = [
            resource["Properties"]["FeatureGroupName"]
            for _, template in stacks
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::SageMaker::FeatureGroup"
        ]
        publish_assets(client("s3", port), [template for _, template in stacks])
        cloudformation = client("cloudformation", port)
        statuses = {}
        for name, template in stacks:
            try:
                body = json.dumps(without(template, set(cut)))
                cloudformation.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
                statuses[name] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            except Exception as error:  # the result has every stack's own status, not the first failure alone
                statuses[name] = f"{type(error).__name__}: {error}"
        print(json.dumps({"stacks": statuses, "cut": cut, "found": read_back(port, feature_groups), "provisioned": provisioned(port, stacks)}))
    finally:
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
