/** What bundles of functions have in place of `lz4-napi` and `snappy`: Millrace compresses nothing with them. */

export const decompressFrameSync = absent("lz4");
export const uncompressSync = absent("snappy");

function absent(codec: string): () => never {
  return () => {
    throw new Error(`functions on AWS have no ${codec}; \`npm run on-aws -- --env E dump\` reads it`);
  };
}
