import { Aws, aws_cognito as cognito, CfnOutput, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Construct } from "constructs";
import { acknowledge } from "../reusable/acknowledge.ts";

/** The claim of Cognito's tokens that lists the groups of who has signed in. */
export const COGNITO_GROUPS = "cognito:groups";
/** How long somebody stays signed in on the page at most: a working day. */
const SESSION = Duration.hours(12);

export interface UserPoolProps {
  readonly userPoolName: string;
  /** The group of operators, and what it is for. */
  readonly operatorsGroup: string;
  readonly groupDescription: string;
  /** Whether the users are kept when the stack is deleted, are protected, and sign in with a second factor. */
  readonly isKept: boolean;
}

/** Who may sign in, where there is no issuer of one's own: people whom an administrator adds, by their address. */
export class UserPool extends Construct {
  readonly pool: cognito.UserPool;
  /** `https://host` of the pages where one signs in, and of its token endpoint. */
  readonly loginUrl: string;

  constructor(scope: Construct, id: string, { userPoolName, operatorsGroup, groupDescription, isKept }: UserPoolProps) {
    super(scope, id);
    this.pool = new cognito.UserPool(this, "Pool", {
      userPoolName,
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      passwordPolicy: {
        minLength: 12,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(7),
      },
      mfa: isKept ? cognito.Mfa.REQUIRED : cognito.Mfa.OPTIONAL,
      mfaSecondFactor: { otp: true, sms: false },
      accountRecovery: cognito.AccountRecovery.EMAIL_ONLY,
      featurePlan: cognito.FeaturePlan.ESSENTIALS,
      deletionProtection: isKept,
      removalPolicy: isKept ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    new cognito.UserPoolGroup(this, "Operators", {
      userPool: this.pool,
      groupName: operatorsGroup,
      description: groupDescription,
    });
    // One of its region in all accounts: the account is what nobody else has.
    const domain = this.pool.addDomain("Domain", {
      cognitoDomain: { domainPrefix: `${userPoolName}-${Aws.ACCOUNT_ID}` },
      managedLoginVersion: cognito.ManagedLoginVersion.NEWER_MANAGED_LOGIN,
    });
    this.loginUrl = domain.baseUrl();
    this.#outputs(operatorsGroup);
    acknowledge(this.pool, {
      COG8: "Plus costs money for each who signs in; passwords are long, nobody signs up, and tokens can be revoked",
      ...(!isKept && { COG2: "offered, not required, where nothing is kept" }),
    });
  }

  #outputs(operatorsGroup: string): void {
    const stack = Stack.of(this);
    const user = `--user-pool-id ${this.pool.userPoolId} --username you@example.com`;
    new CfnOutput(stack, "UserPoolId", { value: this.pool.userPoolId, description: "who may sign in" });
    new CfnOutput(stack, "FirstUser", {
      value:
        `aws cognito-idp admin-create-user ${user} && ` +
        `aws cognito-idp admin-add-user-to-group ${user} --group-name ${operatorsGroup}`,
      description: "makes the first user, an operator, whom Cognito sends a password",
    });
  }

  /** The page as a client: public, the authorization code flow alone, with refresh tokens that work once. */
  addPage(scope: Construct, pageUrl: string): cognito.UserPoolClient {
    const client = new cognito.UserPoolClient(scope, "SignIn", {
      userPool: this.pool,
      userPoolClientName: "page",
      generateSecret: false,
      // For who has credentials of the account: a token for the command line.
      authFlows: { adminUserPassword: true },
      oAuth: {
        flows: { authorizationCodeGrant: true },
        scopes: [cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL],
        callbackUrls: [pageUrl],
        logoutUrls: [pageUrl],
      },
      supportedIdentityProviders: [cognito.UserPoolClientIdentityProvider.COGNITO],
      preventUserExistenceErrors: true,
      accessTokenValidity: Duration.hours(1),
      idTokenValidity: Duration.hours(1),
      refreshTokenValidity: SESSION,
      refreshTokenRotationGracePeriod: Duration.seconds(30),
      enableTokenRevocation: true,
    });
    // Without a style of its client, Cognito's page says that it is unavailable.
    new cognito.CfnManagedLoginBranding(scope, "SignInStyle", {
      userPoolId: this.pool.userPoolId,
      clientId: client.userPoolClientId,
      useCognitoProvidedValues: true,
    });
    return client;
  }
}
