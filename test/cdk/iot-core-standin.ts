import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createHash, randomUUID, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  DescribeCertificateCommand,
  IoTClient,
  ListPrincipalThingsCommand,
  RegisterCertificateWithoutCACommand,
  UpdateCertificateCommand,
} from "@aws-sdk/client-iot";
import mqtt, { type MqttClient } from "mqtt";
import { listen } from "../../local/aws/listen.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "./template-environment.ts";

/** What its certificate is for. */
export const IOT_HOST = "localhost";
const REGION = "us-east-1";

interface Identity {
  readonly certificate: string;
  readonly privateKey: string;
}
interface Answer {
  readonly accepted?: object;
  readonly rejected?: { readonly statusCode: number; readonly errorCode: string; readonly errorMessage: string };
}
/** The pre-provisioning hook: https://docs.aws.amazon.com/iot/latest/developerguide/pre-provisioning-hook.html */
type Hook = (event: {
  readonly claimCertificateId: string;
  readonly parameters: Readonly<Record<string, string>>;
}) => Promise<{ readonly allowProvisioning: boolean; readonly parameterOverrides?: Record<string, string> }>;

export interface IotCoreOptions {
  /** Folder of moto's programs. */
  readonly tools: string;
  /** `mqtt://host:port` of the broker behind it. */
  readonly brokerUrl: string;
  readonly template: string;
  /** Policy that the template gives to a device. */
  readonly policy: string;
  readonly hook: Hook;
}

/**
 * Stands in for IoT Core where a device provisions itself. Things, certificates and policies are moto's, and so is the
 * table that the hook reads. A TLS endpoint lets in who shows a claim certificate, or the active certificate of a thing
 * that has the client id; behind it is a real broker, on which a subscriber answers the topics of fleet provisioning.
 * https://docs.aws.amazon.com/iot/latest/developerguide/fleet-provision-api.html
 */
export class IotCoreStandIn {
  readonly #options: IotCoreOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "millrace-iot-core-"));
  readonly #claims = new Set<string>();
  readonly #tokens = new Map<string, string>();
  /** moto's ids of devices' certificates, by fingerprint. */
  readonly #devices = new Map<string, string>();
  /** The API: the one operation that moto has not is answered here. */
  readonly #api = createServer((request, response) => void this.#answerApi(request, response));
  readonly #sockets = new Set<Socket>();
  #tls: ReturnType<typeof createTlsServer> | undefined;
  #moto: ChildProcess | undefined;
  #motoPort = 0;
  #fleet: MqttClient | undefined;
  #iot!: IoTClient;
  /** Client ids that were let in, and those that were not. */
  readonly letIn: string[] = [];
  readonly refused: string[] = [];
  /** Address of the API. */
  endpoint = "";
  port = 0;

  constructor(options: IotCoreOptions) {
    this.#options = options;
  }

  get authority(): string {
    return readFileSync(join(this.#folder, "ca.pem"), "utf8");
  }

  async start(): Promise<void> {
    this.#openssl("req", "-x509", ...NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority");
    this.#motoPort = await freePort();
    this.#moto = spawn(join(this.#options.tools, "python"), ["-m", "moto.server", "-p", String(this.#motoPort)], {
      stdio: "ignore",
    });
    await eventually(() => fetch(`http://127.0.0.1:${this.#motoPort}/moto-api/`), { limitMs: 60_000 });
    this.endpoint = `http://127.0.0.1:${await listen(this.#api, 0)}`;
    const credentials = { accessKeyId: "id", secretAccessKey: "secret" };
    this.#iot = new IoTClient({ region: REGION, endpoint: this.endpoint, credentials });
    await this.#iot.send(new CreatePolicyCommand({ policyName: this.#options.policy, policyDocument: "{}" }));
    const { certificate: cert, privateKey: key } = this.#issue(IOT_HOST, `subjectAltName=DNS:${IOT_HOST}`);
    this.#tls = createTlsServer(
      { cert, key, ca: this.authority, requestCert: true, rejectUnauthorized: true },
      (socket) => this.#accept(socket),
    );
    this.#tls.listen(0, "127.0.0.1");
    await once(this.#tls, "listening");
    this.port = (this.#tls.address() as AddressInfo).port;
    await this.#answerTopics();
  }

  async stop(): Promise<void> {
    await this.#fleet?.endAsync(true);
    for (const socket of this.#sockets) socket.destroy();
    this.#tls?.close();
    this.#api.closeAllConnections();
    this.#api.close();
    this.#moto?.kill("SIGKILL");
    this.#iot?.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A certificate of its authority that is no thing's and no claim's. */
  stranger(): Identity {
    return this.#issue("stranger");
  }

  #openssl(...args: string[]): void {
    execFileSync("openssl", args, { cwd: this.#folder, stdio: "pipe" });
  }

  #issue(name: string, ...extensions: string[]): Identity {
    const file = randomUUID();
    this.#openssl(
      ...["req", "-x509", ...NEW_KEY, "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", `${file}.key`],
      ...["-out", `${file}.pem`, "-subj", `/CN=${name}`],
      ...["basicConstraints=critical,CA:FALSE", ...extensions].flatMap((extension) => ["-addext", extension]),
    );
    const read = (end: string): string => readFileSync(join(this.#folder, file + end), "utf8");
    return { certificate: read(".pem"), privateKey: read(".key") };
  }

  async #answerApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (request.url === `/provisioning-templates/${this.#options.template}/provisioning-claim`) {
      const { certificate: certificatePem, privateKey: PrivateKey } = this.#issue("claim");
      const certificateId = fingerprintOf(new X509Certificate(certificatePem));
      this.#claims.add(certificateId);
      response.setHeader("content-type", "application/json");
      const keyPair = { PrivateKey, PublicKey: "" };
      const expiration = Math.round(Date.now() / 1_000) + 300;
      return void response.end(JSON.stringify({ certificateId, certificatePem, keyPair, expiration }));
    }
    const { method, url: path, headers } = request;
    httpRequest({ host: "127.0.0.1", port: this.#motoPort, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    })
      .on("error", () => response.destroy())
      .end(Buffer.concat(chunks));
  }

  /** Looks at a connection's certificate and client id, and hands it to the broker. */
  #accept(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    let begin = Buffer.alloc(0);
    const first = (data: Buffer): void => {
      begin = Buffer.concat([begin, data]);
      const clientId = clientIdOf(begin);
      if (clientId === undefined) return;
      socket.off("data", first).pause();
      void this.#mayConnect(fingerprintOf(socket.getPeerX509Certificate()!), clientId).then((may) => {
        (may ? this.letIn : this.refused).push(clientId);
        if (!may) return socket.destroy();
        const { hostname, port } = new URL(this.#options.brokerUrl);
        const broker = connect(Number(port), hostname);
        this.#sockets.add(broker);
        broker.on("error", () => socket.destroy()).on("close", () => socket.destroy());
        socket.on("close", () => broker.destroy());
        broker.write(begin);
        socket.pipe(broker);
        broker.pipe(socket);
      });
    };
    socket.on("data", first);
  }

  /** As `client/${iot:Connection.Thing.ThingName}` of the devices' policy says. */
  async #mayConnect(fingerprint: string, clientId: string): Promise<boolean> {
    if (this.#claims.has(fingerprint)) return true;
    const certificateId = this.#devices.get(fingerprint);
    if (certificateId === undefined) return false;
    try {
      const { certificateDescription } = await this.#iot.send(new DescribeCertificateCommand({ certificateId }));
      const { status, certificateArn: principal } = certificateDescription!;
      const { things = [] } = await this.#iot.send(new ListPrincipalThingsCommand({ principal }));
      return status === "ACTIVE" && things.includes(clientId);
    } catch {
      return false;
    }
  }

  async #answerTopics(): Promise<void> {
    const create = "$aws/certificates/create/json";
    const provision = `$aws/provisioning-templates/${this.#options.template}/provision/json`;
    const fleet = await mqtt.connectAsync(this.#options.brokerUrl, { protocolVersion: 5 });
    this.#fleet = fleet;
    await fleet.subscribeAsync([create, provision], { qos: 1 });
    fleet.on("message", (topic, payload) => {
      const body = JSON.parse(payload.toString()) as Registration;
      void (topic === create ? this.#create() : this.#provision(body)).then(({ accepted, rejected }) =>
        fleet.publishAsync(`${topic}/${accepted ? "accepted" : "rejected"}`, JSON.stringify(accepted ?? rejected)),
      );
    });
  }

  async #create(): Promise<Answer> {
    const { certificate: certificatePem, privateKey } = this.#issue("device");
    const { certificateId } = await this.#iot.send(
      new RegisterCertificateWithoutCACommand({ certificatePem, status: "INACTIVE" }),
    );
    this.#devices.set(fingerprintOf(new X509Certificate(certificatePem)), certificateId!);
    const certificateOwnershipToken = randomUUID();
    this.#tokens.set(certificateOwnershipToken, certificateId!);
    return { accepted: { certificateId, certificatePem, privateKey, certificateOwnershipToken } };
  }

  async #provision({ certificateOwnershipToken, parameters = {} }: Registration): Promise<Answer> {
    const certificateId = this.#tokens.get(certificateOwnershipToken ?? "");
    if (certificateId === undefined) return refuse("InvalidCertificateOwnershipToken", "The token is not valid");
    const hook = await this.#options.hook({ claimCertificateId: "claim", parameters });
    if (!hook.allowProvisioning) return refuse("AccessDenied", "Pre-provisioning hook denied the request");
    const thingName = { ...parameters, ...hook.parameterOverrides }["SerialNumber"]!;
    await this.#iot.send(new CreateThingCommand({ thingName }));
    await this.#iot.send(new UpdateCertificateCommand({ certificateId, newStatus: "ACTIVE" }));
    const { certificateDescription } = await this.#iot.send(new DescribeCertificateCommand({ certificateId }));
    const principal = certificateDescription!.certificateArn!;
    await this.#iot.send(new AttachPolicyCommand({ policyName: this.#options.policy, target: principal }));
    await this.#iot.send(new AttachThingPrincipalCommand({ thingName, principal }));
    return { accepted: { deviceConfiguration: {}, thingName } };
  }
}

interface Registration {
  readonly certificateOwnershipToken?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

const refuse = (errorCode: string, errorMessage: string): Answer => ({
  rejected: { statusCode: 403, errorCode, errorMessage },
});

function fingerprintOf({ raw }: X509Certificate): string {
  return createHash("sha256").update(raw).digest("hex");
}

/**
 * The client id of a CONNECT packet; undefined while it is not whole.
 * https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901033
 */
function clientIdOf(packet: Buffer): string | undefined {
  const integer = (at: number): { value: number; next: number } => {
    let value = 0;
    for (let i = 0; ; i++) {
      value += (packet[at + i]! & 0x7f) * 128 ** i;
      if ((packet[at + i]! & 0x80) === 0) return { value, next: at + i + 1 };
    }
  };
  if (packet.length < 2) return undefined;
  const { value: length, next: header } = integer(1);
  if (packet.length < header + length) return undefined;
  // Protocol name, version, flags and keep-alive are ten bytes.
  const { value: properties, next } = integer(header + 10);
  const id = next + properties;
  return packet.subarray(id + 2, id + 2 + packet.readUInt16BE(id)).toString();
}
