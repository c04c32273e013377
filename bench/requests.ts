/** How long each of `requests` requests takes, one after the other, ms. An error counts as infinite. */
export async function timesOf(url: string, requests: number): Promise<number[]> {
  const taken: number[] = [];
  for (let n = 0; n < requests; n++) {
    const startedAt = performance.now();
    const ok = await fetch(url).then(
      async (response) => (await response.text()) !== "" && response.ok,
      () => false,
    );
    taken.push(ok ? performance.now() - startedAt : Infinity);
  }
  return taken;
}
