/** Arithmetic of IPv4 CIDR blocks, such as `10.20.0.0/16`. Blocks are taken as well-formed. */

/** First and last address of a block, both inclusive, each as the number that its 32 bits are. */
function cidrRange(block: string): { first: number; last: number } {
  const [address = "", prefixLength = "32"] = block.split("/");
  const size = 2 ** (32 - Number(prefixLength));
  const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const first = Math.floor(value / size) * size;
  return { first, last: first + size - 1 };
}

/** Whether two blocks share an address. */
export function cidrsOverlap(a: string, b: string): boolean {
  const x = cidrRange(a);
  const y = cidrRange(b);
  return x.first <= y.last && y.first <= x.last;
}
