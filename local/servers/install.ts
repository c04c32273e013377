import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { MillraceError } from "../../domain/errors.ts";
import { archiveClasses } from "./archive.ts";
import { DYNAMODB_JARS, JARS, LAUNCHERS } from "./definition.ts";

/** The installed jars, compiled launchers and archived classes of the servers, and the Java that runs them. */
export interface Installation {
  readonly java: string;
  readonly folder: string;
  /** Without the jars of DynamoDB. */
  readonly classpath: string;
}

export interface InstallOptions {
  /** Folder for all installations, one subfolder per Java and content of pom.xml and launchers. */
  readonly folder: string;
  /** JAVA_HOME, if it is set. `java` is searched there first, then on PATH. */
  readonly javaHome?: string | undefined;
  readonly onProgress: (message: string) => void;
}

const MIN_JAVA = 17;
/** Its manifest has a folder in the class path. Java archives no classes of such a class path. */
const DYNAMODB_JAR = /^DynamoDBLocal-/;
const SOURCES = import.meta.dirname;
const REMEDY =
  `install a Java Development Kit, version ${MIN_JAVA} or later ` +
  "(Debian, Ubuntu: apt install openjdk-17-jdk-headless; macOS: brew install openjdk@17), " +
  "and check it with `java -version`";

/**
 * Downloads the servers with Maven, compiles their launchers, and archives their classes, once per Java and content of
 * pom.xml and launchers. Later calls need neither network nor Maven.
 *
 * @throws MillraceError `prerequisite-missing` when Java (a JDK of 17 or later) or Maven is missing or fails.
 */
export async function installServers(options: InstallOptions): Promise<Installation> {
  const { java, version } = findJava(options.javaHome);
  const launchers = readdirSync(join(SOURCES, "java")).map((name) => join(SOURCES, "java", name));
  const hash = createHash("sha256").update(version);
  for (const file of [join(SOURCES, "pom.xml"), ...launchers]) hash.update(readFileSync(file));
  const folder = join(options.folder, hash.digest("hex").slice(0, 16));
  const installation = installationIn(folder, java);
  if (existsSync(folder)) return installation;

  mkdirSync(options.folder, { recursive: true });
  const building = mkdtempSync(join(options.folder, "building-"));
  try {
    const jars = join(building, JARS);
    await download(jars, options.onProgress);
    options.onProgress("compiling the servers' launchers");
    const classes = join(building, "classes");
    run(tool(java, "javac"), ["-nowarn", "-d", classes, "-cp", join(jars, "*"), ...launchers], REMEDY);
    run(tool(java, "jar"), ["--create", "--file", join(building, LAUNCHERS), "-C", classes, "."], REMEDY);
    rmSync(classes, { recursive: true });
    mkdirSync(join(building, DYNAMODB_JARS));
    for (const name of readdirSync(jars).filter((name) => DYNAMODB_JAR.test(name)))
      renameSync(join(jars, name), join(building, DYNAMODB_JARS, name));
    options.onProgress("archiving the servers' classes, so that they start faster");
    await archiveClasses(installationIn(building, java), join(building, "data"));
    moveIntoPlace(building, folder);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
  return installation;
}

function installationIn(folder: string, java: string): Installation {
  return { java, folder, classpath: [join(folder, LAUNCHERS), join(folder, JARS, "*")].join(delimiter) };
}

/** Renaming makes the finished folder appear in one step. Another process may have been faster: its folder is equal. */
function moveIntoPlace(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    if (!existsSync(to)) throw cause;
  }
}

/** A tool of the Java Development Kit. */
function tool(java: string, name: "javac" | "jar"): string {
  return java.replace(/java(\.exe)?$/, `${name}$1`);
}

/** @returns Its path, and what it says of its version */
function findJava(javaHome: string | undefined): { readonly java: string; readonly version: string } {
  const inHome = javaHome && join(javaHome, "bin", "java");
  const java = inHome && existsSync(inHome) ? inHome : "java";
  const { error, status, stderr } = spawnSync(java, ["-version"], { encoding: "utf8" });
  if (error || status !== 0)
    throw new MillraceError("prerequisite-missing", `Java was not found (${java}): ${REMEDY}`, { cause: error });
  const version = /version "(?:1\.)?(\d+)/.exec(stderr)?.[1];
  if (version === undefined || Number(version) < MIN_JAVA) {
    throw new MillraceError(
      "prerequisite-missing",
      `Java ${version ?? "of an unknown version"} was found (${java}), ` +
        `but the servers need ${MIN_JAVA} or later: ${REMEDY}`,
    );
  }
  if (spawnSync(tool(java, "javac"), ["-version"]).error) {
    throw new MillraceError(
      "prerequisite-missing",
      `Java ${version} was found (${java}), but its compiler javac is missing: ${REMEDY}`,
    );
  }
  return { java, version: stderr };
}

function run(command: string, args: readonly string[], remedy: string): void {
  const { error, status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error || status !== 0)
    throw new MillraceError(
      "prerequisite-missing",
      `${command} failed (${error?.message ?? `exit code ${status}`}): ${stderr?.trim().slice(-1_000)}\n${remedy}`,
      { cause: error },
    );
}

/** Downloads about 150 files (110 MB) with Maven, and reports each one. */
function download(jars: string, onProgress: (message: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const maven = spawn(
      "mvn",
      [
        "-B",
        "-f",
        join(SOURCES, "pom.xml"),
        "dependency:copy-dependencies",
        `-DoutputDirectory=${jars}`,
        "-DincludeScope=runtime",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const problems: string[] = [];
    let downloaded = 0;
    const read = (line: string): void => {
      const artifact = /Downloaded from .*\/([^/]+\.(?:jar|so|dylib|dll)) \(([^)]*)/.exec(line);
      if (artifact)
        onProgress(`downloading the servers with Maven: file ${++downloaded}, ${artifact[1]} (${artifact[2]})`);
      if (line.includes("ERROR")) problems.push(line);
    };
    onProgress("downloading the servers with Maven (first run: 120 MB)");
    for (const stream of [maven.stdout, maven.stderr]) createInterface({ input: stream }).on("line", read);
    maven.once("error", (cause) =>
      reject(
        new MillraceError(
          "prerequisite-missing",
          `Maven was not found (${cause.message}): install it ` +
            "(Debian, Ubuntu: apt install maven; macOS: brew install maven), and check it with `mvn -version`",
          { cause },
        ),
      ),
    );
    maven.once("close", (code) => {
      if (code === 0) resolve();
      else
        reject(
          new MillraceError(
            "prerequisite-missing",
            `Maven could not download the servers (exit code ${code}). The usual causes are no network, a full disk, ` +
              `and a proxy that is missing in ~/.m2/settings.xml:\n${problems.slice(0, 5).join("\n")}`,
          ),
        );
    });
  });
}
