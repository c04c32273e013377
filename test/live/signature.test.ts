import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { expect, test } from "@jest/globals";
import { PostSigner, type Credentials } from "../../live/signature.ts";

const plain = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const sha256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"; // of "hello world"
const now = new Date("2026-01-13T14:30:45.123Z");

/** As the signer of the SDK does it. */
async function bySdk(credentials: Credentials, path: string): Promise<Record<string, string>> {
  const client = new ApiGatewayManagementApiClient({ region: "eu-west-1", credentials });
  const signer = await client.config.signer();
  const { headers } = await signer.sign(
    {
      method: "POST",
      protocol: "https:",
      hostname: "abc.execute-api.eu-west-1.amazonaws.com",
      path,
      query: {},
      headers: { host: "abc.execute-api.eu-west-1.amazonaws.com" },
      body: "hello world",
    } as never,
    { signingDate: now, signingRegion: "eu-west-1", signingService: "execute-api" },
  );
  return headers;
}

test.each([
  ["long-lived credentials", plain],
  ["credentials of a session", { ...plain, sessionToken: "IQoJb3JpZ2luX2VjE/Zr==" }],
])("a request is signed with %s as the SDK signs it", async (_, credentials) => {
  const signer = new PostSigner("eu-west-1");
  for (const path of ["/prod/@connections/L0SM9cOFvHcCIhw%3D", "/@connections/a%2Fb!c'%28d%29*"])
    expect(signer.sign({ host: "abc.execute-api.eu-west-1.amazonaws.com", path, sha256 }, credentials, now)).toEqual(
      await bySdk(credentials, path),
    );
});

test("other credentials and another day have a key of their own", async () => {
  const signer = new PostSigner("eu-west-1");
  const request = { host: "abc.execute-api.eu-west-1.amazonaws.com", path: "/prod/@connections/a", sha256 };
  const other = { ...plain, secretAccessKey: "another" };
  const before = signer.sign(request, plain, now)["authorization"];
  expect(signer.sign(request, other, now)["authorization"]).toBe((await bySdk(other, request.path))["authorization"]);
  expect(signer.sign(request, plain, new Date("2026-01-14T00:00:00Z"))["authorization"]).not.toBe(before);
  expect(signer.sign(request, plain, now)["authorization"]).toBe(before);
});
