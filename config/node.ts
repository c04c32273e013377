/**
 * Arguments of Node.js for each program, on one machine and in its image alike. Young objects die with their batch: a
 * young generation of a quarter of the default size takes 30 MB less memory and stays in the CPU's cache. Node's
 * warnings are lines of the programs' logs (`logUncaught`) instead of text.
 */
export function nodeArguments(): string[] {
  return ["--no-warnings", "--max-semi-space-size=4"];
}
