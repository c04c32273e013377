"""CloudFormation types that moto's CloudFormation makes not at all, or in part, although moto has their services.

Each resource is made by its service's own API.
"""

import json

import api_types
import boto3
from moto.core.common_models import CloudFormationModel


class Made:
    """A resource as the rest of its stack sees it: the values of `Ref` and `Fn::GetAtt`."""

    def __init__(self, ref, attributes):
        self.physical_resource_id = ref
        self.attributes = attributes
        self.cf_resource_type = None

    def get_cfn_attribute(self, name):
        return self.attributes.get(name, f"{self.physical_resource_id}-{name}")

    def is_created(self):
        return True


# Properties of a destination that moto's Firehose takes.
DESTINATION_PROPERTIES = (
    "BucketARN",
    "RoleARN",
    "Prefix",
    "ErrorOutputPrefix",
    "BufferingHints",
    "CompressionFormat",
    "DataFormatConversionConfiguration",
)


def delivery_stream(at, properties):
    destination = properties["ExtendedS3DestinationConfiguration"]
    arn = at("firehose").create_delivery_stream(
        **{
            "DeliveryStreamName": properties["DeliveryStreamName"],
            "DeliveryStreamType": properties["DeliveryStreamType"],
            "ExtendedS3DestinationConfiguration": {
                name: value for name, value in destination.items() if name in DESTINATION_PROPERTIES
            },
        }
    )["DeliveryStreamARN"]
    return Made(properties["DeliveryStreamName"], {"Arn": arn})


def glue_database(at, properties):
    at("glue").create_database(DatabaseInput=properties["DatabaseInput"])
    return Made(properties["DatabaseInput"]["Name"], {})


def glue_table(at, properties):
    at("glue").create_table(DatabaseName=properties["DatabaseName"], TableInput=properties["TableInput"])
    return Made(properties["TableInput"]["Name"], {})


def secret(at, properties):
    manager = at("secretsmanager")
    length = properties["GenerateSecretString"].get("PasswordLength", 32)
    password = manager.get_random_password(PasswordLength=length)["RandomPassword"]
    arn = manager.create_secret(
        Name=f"stand-in-{len(manager.list_secrets()['SecretList'])}",
        Description=properties.get("Description", ""),
        SecretString=password,
    )["ARN"]
    return Made(arn, {"Id": arn})


def alarm(at, properties):
    at("cloudwatch").put_metric_alarm(
        **{name: value for name, value in properties.items() if name != "Tags"}
        | {"AlarmName": properties.get("AlarmName", "alarm-of-a-scaling-policy")}
    )
    return Made(properties.get("AlarmName", "alarm-of-a-scaling-policy"), {})


def lifecycle_rule(rule):
    """A rule by the API's names, which differ from those of CloudFormation."""
    made = {
        "ID": rule.get("Id", f"rule-{rule.get('Prefix', '')}{rule.get('ExpirationInDays', '')}"),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    expiration = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = rule["ExpirationInDays"]
    if rule.get("ExpiredObjectDeleteMarker"):
        expiration["ExpiredObjectDeleteMarker"] = True
    if expiration:
        made["Expiration"] = expiration
    if "Transitions" in rule:
        made["Transitions"] = [
            {"Days": step["TransitionInDays"], "StorageClass": step["StorageClass"]} for step in rule["Transitions"]
        ]
    if "NoncurrentVersionExpiration" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule["NoncurrentVersionExpiration"]["NoncurrentDays"]}
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return made


def bucket(at, properties):
    """A bucket with the lifecycle and versioning that moto's own type leaves out."""
    s3, name = at("s3"), properties["BucketName"]
    s3.create_bucket(Bucket=name)
    rules = [
        {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
        for rule in properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    ]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"])
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=properties["VersioningConfiguration"])
    if "LifecycleConfiguration" in properties:
        s3.put_bucket_lifecycle_configuration(
            Bucket=name,
            LifecycleConfiguration={
                "Rules": [lifecycle_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
            },
        )
    return Made(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.us-east-1.amazonaws.com",
        },
    )


def event_bus(at, properties):
    """An event bus. A reference to moto's own type is an object, not a name."""
    arn = at("events").create_event_bus(Name=properties["Name"])["EventBusArn"]
    return Made(properties["Name"], {"Arn": arn, "Name": properties["Name"]})


def archive(at, properties):
    """An archive of an event bus. moto's own type hands on a pattern that its service can't read."""
    arn = at("events").create_archive(
        ArchiveName=properties["ArchiveName"],
        EventSourceArn=properties["SourceArn"],
        Description=properties["Description"],
        EventPattern=json.dumps(properties["EventPattern"]),
        RetentionDays=int(properties["RetentionDays"]),
    )["ArchiveArn"]
    return Made(properties["ArchiveName"], {"Arn": arn, "ArchiveName": properties["ArchiveName"]})


TYPES = {
    "AWS::Events::EventBus": event_bus,
    "AWS::Events::Archive": archive,
    "AWS::S3::Bucket": bucket,
    "AWS::KinesisFirehose::DeliveryStream": delivery_stream,
    "AWS::Glue::Database": glue_database,
    "AWS::Glue::Table": glue_table,
    "AWS::SecretsManager::Secret": secret,
    "AWS::CloudWatch::Alarm": alarm,
} | api_types.types(Made)


def register(port):
    """Adds the types to moto's CloudFormation. Call it before the first stack is made."""
    at = lambda service: boto3.client(service, endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
    for type_name, make in TYPES.items():
        type(
            "By" + type_name.replace("::", ""),
            (CloudFormationModel,),
            {
                "cloudformation_type": staticmethod(lambda type_name=type_name: type_name),
                "cloudformation_name_type": staticmethod(lambda: ""),
                "has_cfn_attr": classmethod(lambda cls, attribute: True),
                "create_from_cloudformation_json": classmethod(
                    lambda cls, resource_name, cloudformation_json, account_id, region_name, make=make, **kwargs: make(
                        at, cloudformation_json["Properties"]
                    )
                ),
            },
        )
        keep.append(CloudFormationModel.__subclasses__()[-1])


# `__subclasses__` holds classes weakly.
keep = []
