/** The CDN in front of the dashboard: its name, HTTPS only, headers that browsers obey (HB-aws-16). */

import { CloudfrontCachePolicy } from "#aws/cloudfront-cache-policy";
import {
  CloudfrontDistribution,
  type CloudfrontDistributionDefaultCacheBehavior,
} from "#aws/cloudfront-distribution";
import { CloudfrontOriginAccessControl } from "#aws/cloudfront-origin-access-control";
import { CloudfrontResponseHeadersPolicy } from "#aws/cloudfront-response-headers-policy";
import type { S3Bucket } from "#aws/s3-bucket";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { certificateArn } from "./certificate.js";
import { qualified } from "./names.js";

/** The only region whose certificates CloudFront reads. */
const CERTIFICATE_REGION = "us-east-1";
const TLS_VERSION_MIN = "TLSv1.2_2021";
/** North America and Europe: that is where the people are. */
const PRICE_CLASS = "PriceClass_100";

const DAY_S = 86_400;
const BUCKET = "frontend-bucket";

const ID = "cdn";
/** For the bucket's policy, which is written before the distribution that reads the bucket. */
export const CDN_ARN = `\${aws_cloudfront_distribution.${ID}.arn}`;

export function makeDistribution(
  stack: TerraformStack,
  policy: PolicySet,
  bucket: S3Bucket,
): CloudfrontDistribution {
  const { frontend } = policy.infrastructure;
  const access = new CloudfrontOriginAccessControl(stack, "frontend-signing", {
    name: qualified(policy, "frontend"),
    originAccessControlOriginType: "s3",
    signingBehavior: "always",
    signingProtocol: "sigv4",
  });
  // No access log: CloudFront's takes a bucket with lists of access, which none of ours has; and who did what stands in
  // the API's. No firewall of its own: what it serves is public and holds nothing. Nor a second origin.
  return new CloudfrontDistribution(stack, ID, {
    enabled: true,
    comment: `${policy.system} dashboard, ${policy.environment}`,
    aliases: [frontend.host],
    defaultRootObject: "index.html",
    httpVersion: "http2and3",
    isIpv6Enabled: true,
    priceClass: PRICE_CLASS,
    origin: [
      {
        originId: BUCKET,
        domainName: bucket.bucketRegionalDomainName,
        originAccessControlId: access.id,
      },
    ],
    defaultCacheBehavior: behavior(stack, policy),
    restrictions: { geoRestriction: { restrictionType: "none" } },
    viewerCertificate: {
      acmCertificateArn: certificateArn(stack, "frontend", frontend, CERTIFICATE_REGION),
      minimumProtocolVersion: TLS_VERSION_MIN,
      sslSupportMethod: "sni-only",
    },
  });
}

/** https-only: who asks in plain text has already said too much, and is refused. */
function behavior(
  stack: TerraformStack,
  policy: PolicySet,
): CloudfrontDistributionDefaultCacheBehavior {
  return {
    targetOriginId: BUCKET,
    viewerProtocolPolicy: "https-only",
    allowedMethods: ["GET", "HEAD", "OPTIONS"],
    cachedMethods: ["GET", "HEAD"],
    compress: true,
    cachePolicyId: makeCachePolicy(stack, policy).id,
    responseHeadersPolicyId: makeHeaders(stack, policy).id,
  };
}

/**
 * The files say themselves how long they hold: what carries a hash a year, index.html not at all. From 0, or
 * CloudFront would keep an index.html that asked not to be kept.
 */
function makeCachePolicy(stack: TerraformStack, policy: PolicySet): CloudfrontCachePolicy {
  const { cachedS, cachedAtMostS } = policy.infrastructure.frontend;
  return new CloudfrontCachePolicy(stack, "frontend-caching", {
    name: qualified(policy, "frontend"),
    minTtl: 0,
    defaultTtl: cachedS,
    maxTtl: cachedAtMostS,
    parametersInCacheKeyAndForwardedToOrigin: {
      enableAcceptEncodingBrotli: true,
      enableAcceptEncodingGzip: true,
      cookiesConfig: { cookieBehavior: "none" },
      headersConfig: { headerBehavior: "none" },
      queryStringsConfig: { queryStringBehavior: "none" },
    },
  });
}

function makeHeaders(stack: TerraformStack, policy: PolicySet): CloudfrontResponseHeadersPolicy {
  const { api, frontend } = policy.infrastructure;
  return new CloudfrontResponseHeadersPolicy(stack, "frontend-headers", {
    name: qualified(policy, "frontend"),
    securityHeadersConfig: {
      contentSecurityPolicy: {
        contentSecurityPolicy: `default-src 'self'; connect-src 'self' https://${api.host}; frame-ancestors 'none'`,
        override: true,
      },
      contentTypeOptions: { override: true },
      frameOptions: { frameOption: "DENY", override: true },
      referrerPolicy: { referrerPolicy: "same-origin", override: true },
      strictTransportSecurity: {
        accessControlMaxAgeSec: frontend.httpsOnlyDays * DAY_S,
        includeSubdomains: true,
        preload: true,
        override: true,
      },
    },
  });
}
