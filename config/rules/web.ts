import { rule, type Rule } from "./rule.ts";

/** Rules of the APIs and of the dashboard. */
export const webRules: readonly Rule[] = [
  rule(["api", "region"], ({ api, region }) =>
    (["domain", "websocketDomain"] as const).flatMap((name) => {
      const domain = api[name];
      if (domain === null) return [];
      return [
        [
          !domain.certificateArn.startsWith(`arn:aws:acm:${region}:`),
          `api.${name}.certificateArn: ${domain.certificateArn} is no ACM certificate in ${region}; ` +
            "a regional API takes one from its own region",
        ] as const,
      ];
    }),
  ),
  rule(["web"], ({ web: { domain } }) => {
    if (domain === null) return [];
    return [
      [
        !domain.certificateArn.startsWith("arn:aws:acm:us-east-1:"),
        `web.domain.certificateArn: ${domain.certificateArn} is no ACM certificate in us-east-1, ` +
          "the only region CloudFront takes one from",
      ],
    ];
  }),
  rule(["web"], ({ web: { webAclArn } }) => {
    if (webAclArn === null) return [];
    return [
      [
        !webAclArn.startsWith("arn:aws:wafv2:us-east-1:"),
        `web.webAclArn: ${webAclArn} is not in us-east-1, where web ACLs of scope CLOUDFRONT are`,
      ],
    ];
  }),
  rule(["api", "web"], ({ api: { corsOrigins }, web: { domain } }) => {
    if (corsOrigins.includes("*")) return [];
    const page = domain === null ? undefined : `https://${domain.name}`;
    return [
      [
        page === undefined,
        "api.corsOrigins: the page has no domain of its own, and CloudFront's is known only when it is there; " +
          "give web.domain, or let in every origin (*)",
      ],
      [
        page !== undefined && !corsOrigins.includes(page),
        `api.corsOrigins: ${corsOrigins.join(", ")}; the page is at ${page} and could not read the API: add it`,
      ],
    ];
  }),
  rule(["api", "retainData"], ({ api, retainData }) => [
    [
      retainData && api.auth === null,
      "api.auth: an environment that keeps its data must not have an open API; give issuer, audience and jwksUri",
    ],
    [
      retainData && api.corsOrigins.includes("*"),
      "api.corsOrigins: an environment that keeps its data must name its origins, not *",
    ],
  ]),
];
