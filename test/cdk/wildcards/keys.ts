import { ANY, type AllowedWildcard } from "./allowed-wildcard.ts";

/** Key policies. The resource of a key policy is always its own key, written `*`. */
export const keyWildcards: readonly AllowedWildcard[] = [
  {
    actions: ["kms:*"],
    resource: ANY,
    reason: "the account's own administrators, as far as their IAM policies let them",
  },
  {
    stacks: ["security"],
    actions: [
      "kms:Encrypt",
      "kms:Decrypt",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
      "kms:GenerateDataKey",
      "kms:DescribeKey",
    ],
    resource: ANY,
    reason: "each statement names its service and is bound to this account",
  },
  {
    stacks: ["security"],
    actions: [
      "kms:Encrypt",
      "kms:Decrypt",
      "kms:ReEncrypt*",
      "kms:GenerateDataKey*",
      "kms:DescribeKey",
      "kms:CreateGrant",
    ],
    resource: ANY,
    reason: "written by the CDK, for a service within this account",
  },
];
