/** A role that AWS makes for one of its services in an account, and that the service takes. */
export interface ServiceRole {
  /** Who takes it, as `aws iam create-service-linked-role` names it. */
  readonly service: string;
  readonly roleName: string;
}

/**
 * The service-linked roles that the types of the templates need. Each is made with the first resource of its type, by
 * who has `iam:CreateServiceLinkedRole`; a resource that comes before IAM has spread the role is refused.
 *
 * Sources: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html,
 * https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html,
 * https://docs.aws.amazon.com/documentdb/latest/developerguide/service-linked-roles.html,
 * https://docs.aws.amazon.com/msk/latest/developerguide/using-service-linked-roles.html
 */
export const serviceRoles: Readonly<Record<string, ServiceRole>> = {
  "AWS::ECS::Cluster": { service: "ecs.amazonaws.com", roleName: "AWSServiceRoleForECS" },
  "AWS::ApplicationAutoScaling::ScalableTarget": {
    service: "ecs.application-autoscaling.amazonaws.com",
    roleName: "AWSServiceRoleForApplicationAutoScaling_ECSService",
  },
  "AWS::DocDB::DBCluster": { service: "rds.amazonaws.com", roleName: "AWSServiceRoleForRDS" },
  "AWS::MSK::ServerlessCluster": { service: "kafka.amazonaws.com", roleName: "AWSServiceRoleForKafka" },
};
