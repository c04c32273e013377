import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { imagePrograms, type BuildArguments, type ImageProgram } from "../../lib/images.ts";
import { HEALTH_PORT } from "../../lib/stacks/programs.ts";
import { eventually } from "../support/eventually.ts";
import { sharedServers } from "../support/servers.ts";
import { buildImage, canBuildImages, Container, printedIn, type RunOptions } from "./containers.ts";
import { startIotEndpoint, type IotEndpoint } from "./iot-endpoint.ts";
import { resourcesOf, synthesised, type Synthesised } from "./synthesised.ts";
import { containerOf, freePort, prepareServers, variablesHere } from "./template-environment.ts";

const LIMIT_MS = 600_000;
/** Debian's store of certificate authorities, which the MQTT client of the bridge reads. */
const STORE = "/etc/ssl/certs/ca-certificates.crt";
const BROKER_HOST = "iot.millrace.test";
/** A loopback address of its own, so that the port of HTTPS is free. */
const BROKER_ADDRESS = "127.0.57.1";
/** `e_machine` of a binary: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html */
const machines = { arm64: 0xb7, amd64: 0x3e } as const;

interface StagedImage {
  readonly folder: string;
  readonly hash: string;
  readonly args: BuildArguments;
}

function stagedImages(platform: Synthesised): ReadonlyMap<ImageProgram, StagedImage> {
  const stacks = new Set(resourcesOf(platform, "AWS::ECS::TaskDefinition").map(({ stack }) => stack));
  const images = new Map<ImageProgram, StagedImage>();
  for (const stack of stacks) {
    const { dockerImages } = JSON.parse(readFileSync(join(platform.folder, `${stack}.assets.json`), "utf8")) as {
      dockerImages: Record<string, { source: { directory: string; dockerBuildArgs: BuildArguments } }>;
    };
    for (const [hash, { source }] of Object.entries(dockerImages))
      images.set(source.dockerBuildArgs.PROGRAM as ImageProgram, {
        folder: join(platform.folder, source.directory),
        hash: hash.slice(0, 16),
        args: source.dockerBuildArgs,
      });
  }
  return images;
}

/** Native code of the packages of a stage: path and `e_machine` of each. */
const NATIVE_CODE =
  "find /app/node_modules -type f \\( -name '*.node' -o -name '*.so' -o -name '*.so.*' \\) | while read -r file; do " +
  'echo "$file $(od -An -tu2 -j18 -N2 "$file")"; done';

function nativeCode(image: string): { readonly file: string; readonly machine: number }[] {
  return printedIn(image, NATIVE_CODE)
    .trim()
    .split("\n")
    .map((line) => line.split(/\s+/))
    .map(([file = "", machine]) => ({ file, machine: Number(machine) }));
}

const built = canBuildImages() ? describe : describe.skip;

built("the images that are built from dev's templates", () => {
  let platform: Synthesised;
  let staged: ReadonlyMap<ImageProgram, StagedImage>;
  let folder: string;
  const pem = (name: string): string => readFileSync(join(folder, name), "utf8");
  const imageOf = (program: ImageProgram): string => `localhost/millrace-test/${program}:${staged.get(program)!.hash}`;
  const containers: Container[] = [];
  const start = (task: string, options: Partial<RunOptions> & Pick<RunOptions, "environment">): Container => {
    const { Name, User, ReadonlyRootFilesystem } = containerOf(platform, task);
    const container = new Container(`millrace-test-${task}`, imageOf(Name), {
      user: User,
      readOnly: ReadonlyRootFilesystem,
      ...options,
    });
    containers.push(container);
    return container;
  };
  const environmentOf = (task: string): Record<string, string> => {
    const { Environment } = containerOf(platform, task);
    const { PATH: _, ...variables } = variablesHere(
      platform,
      Object.fromEntries(Environment.map(({ Name, Value }) => [Name, Value])),
    );
    return variables;
  };
  /** Runs the template's health check in the container until it holds. */
  const healthy = async (container: Container, task: string, port: number): Promise<void> => {
    const [kind, ...command] = containerOf(platform, task).HealthCheck.Command;
    expect(kind).toBe("CMD");
    const check = command.map((part) => part.replace(`:${HEALTH_PORT}/`, `:${port}/`));
    try {
      await eventually(() => container.exec(check), { until: (code) => code === 0, limitMs: 60_000, pauseMs: 1_000 });
    } catch (cause) {
      throw new Error(`${task} is not healthy:\n${container.output.slice(-3_000)}`, { cause });
    }
  };

  beforeAll(async () => {
    platform = await synthesised("dev");
    staged = stagedImages(platform);
    folder = mkdtempSync(join(tmpdir(), "millrace-images-"));
    const openssl = (...args: string[]): unknown => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority");
    openssl(
      ...["req", "-x509", ...newKey, "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "broker.key"],
      ...["-out", "broker.pem", "-subj", `/CN=${BROKER_HOST}`, "-addext", `subjectAltName=DNS:${BROKER_HOST}`],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
    );
    for (const program of imagePrograms)
      await buildImage({ ...staged.get(program)!, image: imageOf(program), documentsCa: pem("ca.pem") });
    await prepareServers();
  }, LIMIT_MS);
  afterEach(async () => {
    for (const container of containers.splice(0)) await container.kill();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(["bridge-0", "processor-sensor", "processor-market", "live"])(
    "%s starts as the task's user, read-only, on the template's variables, is healthy and ends when it is asked to",
    async (task) => {
      const port = await freePort();
      const container = start(task, { environment: { ...environmentOf(task), HEALTH_PORT: String(port) } });
      await healthy(container, task, port);
      expect(container.exec(["/bin/sh", "-c", "test $(id -u) = 1000"])).toBe(0);
      expect(container.exec(["/bin/sh", "-c", "touch /tmp/millrace/file"])).toBe(0);
      for (const path of ["/app/file", "/etc/file", "/home/node/file"])
        expect(container.exec(["/bin/sh", "-c", `touch ${path}`])).not.toBe(0);
      expect(await container.stop()).toBe(0);
    },
    LIMIT_MS,
  );

  test("have the store of authorities of Node, and the processor's that of DocumentDB", () => {
    for (const program of imagePrograms) {
      const store = printedIn(imageOf(program), `cat ${STORE}`);
      expect(store.match(/BEGIN CERTIFICATE/g)?.length).toBe(tls.rootCertificates.length);
    }
    const bundle = printedIn(imageOf("processor"), "stat -c %a /app/documents-ca.pem; cat /app/documents-ca.pem");
    expect(bundle.startsWith("444\n")).toBe(true);
    expect(new X509Certificate(bundle.slice("444\n".length)).subject).toBe("CN=Test authority");
  });

  test.each(["amd64", "arm64"] as const)(
    "hold native code of %s alone, for each package that has some",
    async (architecture) => {
      const stage = { target: "packages", architecture };
      const image = `localhost/millrace-test/packages-${architecture}:${staged.get("processor")!.hash}`;
      await buildImage({ ...staged.get("processor")!, image, documentsCa: pem("ca.pem"), stage });
      const found = nativeCode(image);
      expect(found.filter(({ machine }) => machine !== machines[architecture])).toEqual([]);
      for (const name of ["crc32", "duckdb.node", "libduckdb.so", "lz4", "onnxruntime_binding", "snappy"])
        expect(found.map(({ file }) => file)).toContainEqual(expect.stringContaining(name));
    },
    LIMIT_MS,
  );

  describe("the bridge's connection to IoT Core", () => {
    let endpoint: IotEndpoint;
    const credentials = {
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    };
    const bridgeWith = (environment: Record<string, string>, files: RunOptions["files"] = {}): Container =>
      start("bridge-0", {
        files,
        hosts: { [BROKER_HOST]: BROKER_ADDRESS },
        environment: {
          ...environmentOf("bridge-0"),
          MQTT_URL: `wss://${BROKER_HOST}`,
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          ...environment,
        },
      });
    /** The image's own store, with the test's authority behind it. */
    const storeWithTestAuthority = (): RunOptions["files"] => {
      const file = join(folder, "store.crt");
      writeFileSync(file, `${printedIn(imageOf("bridge"), `cat ${STORE}`)}\n${pem("ca.pem")}`);
      return { [STORE]: file };
    };

    beforeAll(async () => {
      endpoint = await startIotEndpoint({
        ...{ host: BROKER_HOST, address: BROKER_ADDRESS, region: "us-east-1", ...credentials },
        ...{ key: pem("broker.key"), certificate: pem("broker.pem"), brokerUrl: sharedServers().mqttUrl },
      });
    });
    afterAll(async () => await endpoint.stop());

    test(
      "is signed and verified: with the endpoint's authority in the system's store it subscribes",
      async () => {
        const port = await freePort();
        const container = bridgeWith({ HEALTH_PORT: String(port) }, storeWithTestAuthority());
        await healthy(container, "bridge-0", port);
        expect(endpoint.asked[0]).toMatch(/^\/mqtt\?.*X-Amz-Signature=[0-9a-f]{64}/);
        expect(await container.stop()).toBe(0);
      },
      LIMIT_MS,
    );

    test(
      "is refused by an endpoint that expects another key",
      async () => {
        const container = bridgeWith({ AWS_SECRET_ACCESS_KEY: "another" }, storeWithTestAuthority());
        await eventually(() => expect(container.output).toMatch(/AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE/), {
          limitMs: 60_000,
        });
        expect(container.output).not.toContain("subscribed");
      },
      LIMIT_MS,
    );

    test(
      "is not made without that authority: no request leaves",
      async () => {
        const before = endpoint.asked.length;
        const container = bridgeWith({});
        await eventually(() => expect(container.output).toMatch(/AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE/), {
          limitMs: 60_000,
        });
        expect(endpoint.asked.length).toBe(before);
      },
      LIMIT_MS,
    );
  });
});
