"""CloudFormation types that are made, or checked, by the API of their service, whose own model says what it takes.

Most properties have the API's names, but for upper and lower case. What the model does not know is an error.
"""

import json

from botocore.validate import ParamValidator

# What CloudFormation does with a resource by other calls.
ELSEWHERE = ("Tags", "RecursiveDeleteOption")


def as_shape(shape, value, path=""):
    """A property as the API takes it: names as the model writes them, and numbers, which moto hands on as texts."""
    if shape.type_name == "structure":
        names = {name.lower(): name for name in shape.members}
        unknown = sorted(name for name in value if name.lower() not in names)
        if unknown:
            raise ValueError(f"{path or shape.name} takes no {', '.join(unknown)}")
        return {
            names[name.lower()]: as_shape(shape.members[names[name.lower()]], item, f"{path}.{name}")
            for name, item in value.items()
        }
    if shape.type_name == "list":
        return [as_shape(shape.member, item, path) for item in value]
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name == "boolean":
        return value in (True, "true")
    if shape.type_name in ("double", "float"):
        return float(value)
    if shape.type_name == "string":
        return json.dumps(value) if isinstance(value, dict) else str(value)
    return value


def parameters_of(client, operation, properties):
    """The parameters of a call, checked against the API's model."""
    name = client.meta.method_to_api_mapping[operation]
    shape = client.meta.service_model.operation_model(name).input_shape
    given = {name: value for name, value in properties.items() if name not in ELSEWHERE}
    parameters = as_shape(shape, given)
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise ValueError(f"{name}: {report.generate_report()}")
    return parameters


def by_api(made, service, operation, ref, attributes=lambda answer: {}, change=lambda properties: properties):
    """A type whose resources are made by one call."""

    def make(at, properties):
        client = at(service)
        properties = change(properties)
        answer = getattr(client, operation)(**parameters_of(client, operation, properties))
        return made(ref(answer, properties), attributes(answer))

    return make


def checked(made, service, operation, ref, change=lambda properties: properties):
    """A type that the stand-in can't make: what would be sent is checked, and nothing is there afterwards."""

    def check(at, properties):
        properties = change(properties)
        parameters_of(at(service), operation, properties)
        return made(ref(properties), {})

    return check


def policies(made, service, operation, of, parameters):
    """A policy of one or several resources."""

    def make(at, properties):
        for name in [properties[of]] if isinstance(properties[of], str) else properties[of]:
            getattr(at(service), operation)(**parameters(name, json.dumps(properties["PolicyDocument"])))
        return made("policy", {})

    return make


def metric_filter(properties):
    """The API wants a name, which CloudFormation makes up."""
    return {"FilterName": f"{properties['LogGroupName']}-{properties['FilterPattern']}"[:500]} | properties


def work_group(properties):
    return {"Configuration": properties["WorkGroupConfiguration"]} | {
        name: value for name, value in properties.items() if name != "WorkGroupConfiguration"
    }


def template_of(properties):
    return {"Type": properties["TemplateType"]} | {
        name: value for name, value in properties.items() if name != "TemplateType"
    }


def types(made):
    """Types by their names, each with what makes or checks it."""
    by = lambda *arguments, **options: by_api(made, *arguments, **options)
    name = lambda key: lambda answer, properties: properties[key]
    return {
        "AWS::ApiGateway::RequestValidator": by(
            "apigateway", "create_request_validator", lambda answer, _: answer["id"]
        ),
        # moto's own type leaves out the policy.
        "AWS::ApiGateway::RestApi": by(
            "apigateway",
            "create_rest_api",
            lambda answer, _: answer["id"],
            lambda answer: {"RestApiId": answer["id"], "RootResourceId": answer["rootResourceId"]},
        ),
        "AWS::ApiGatewayV2::Api": by(
            "apigatewayv2", "create_api", lambda answer, _: answer["ApiId"], lambda answer: {"ApiId": answer["ApiId"]}
        ),
        "AWS::ApiGatewayV2::Integration": by(
            "apigatewayv2", "create_integration", lambda answer, _: answer["IntegrationId"]
        ),
        "AWS::ApiGatewayV2::Route": by("apigatewayv2", "create_route", lambda answer, _: answer["RouteId"]),
        "AWS::ApiGatewayV2::RouteResponse": by(
            "apigatewayv2", "create_route_response", lambda answer, _: answer["RouteResponseId"]
        ),
        "AWS::ApiGatewayV2::Stage": by("apigatewayv2", "create_stage", name("StageName")),
        "AWS::Athena::NamedQuery": by("athena", "create_named_query", lambda answer, _: answer["NamedQueryId"]),
        "AWS::Athena::WorkGroup": by("athena", "create_work_group", name("Name"), change=work_group),
        "AWS::IoT::ThingGroup": by("iot", "create_thing_group", name("ThingGroupName")),
        "AWS::IoT::TopicRule": by("iot", "create_topic_rule", name("RuleName")),
        "AWS::Logs::MetricFilter": by("logs", "put_metric_filter", name("FilterName"), change=metric_filter),
        "AWS::SageMaker::FeatureGroup": by("sagemaker", "create_feature_group", name("FeatureGroupName")),
        "AWS::S3::BucketPolicy": policies(
            made, "s3", "put_bucket_policy", "Bucket", lambda of, policy: {"Bucket": of, "Policy": policy}
        ),
        "AWS::SNS::TopicPolicy": policies(
            made,
            "sns",
            "set_topic_attributes",
            "Topics",
            lambda of, policy: {"TopicArn": of, "AttributeName": "Policy", "AttributeValue": policy},
        ),
        "AWS::SQS::QueuePolicy": policies(
            made,
            "sqs",
            "set_queue_attributes",
            "Queues",
            lambda of, policy: {"QueueUrl": of, "Attributes": {"Policy": policy}},
        ),
        "AWS::Lambda::EventSourceMapping": checked(
            made, "lambda", "create_event_source_mapping", lambda properties: "mapping"
        ),
        "AWS::IoT::ProvisioningTemplate": checked(
            made,
            "iot",
            "create_provisioning_template",
            lambda properties: properties["TemplateName"],
            change=template_of,
        ),
    }
