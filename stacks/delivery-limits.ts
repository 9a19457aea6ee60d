/** What load balancers and CloudFront refuse, by the manuals of Elastic Load Balancing and Amazon CloudFront. */
import type { JsonObject } from "../src/base/json.js";
import { blocksOf, descending, type Limit, numberOf, outside, textOf } from "./limit-values.js";

const IDLE_S = { min: 1, max: 4_000 };
const DRAIN_S = { min: 0, max: 3_600 };
const CHECK_INTERVAL_S = { min: 5, max: 300 };
const CHECK_TIMEOUT_S = { min: 2, max: 120 };
const CHECK_COUNT = { min: 2, max: 10 };
/** CloudFront reads certificates of this region alone. */
const CERTIFICATE_REGION = "us-east-1";

export const DELIVERY_LIMITS: Readonly<Record<string, Limit>> = {
  aws_cloudfront_cache_policy: cachePolicy,
  aws_cloudfront_distribution: distribution,
  aws_lb: balancer,
  aws_lb_listener: listener,
  aws_lb_target_group: targetGroup,
};

function balancer({ idle_timeout, subnets, load_balancer_type }: JsonObject): string[] {
  const messages = outside("an idle timeout", idle_timeout, IDLE_S);
  const isAlone = Array.isArray(subnets) && subnets.length === 1 && textOf(subnets[0]) !== null;
  if (isAlone && load_balancer_type === "application")
    messages.push("lies in one subnet; an application load balancer takes two zones or more");
  return messages;
}

function listener({ protocol, certificate_arn }: JsonObject): string[] {
  const needsOne = protocol === "HTTPS" || protocol === "TLS";
  return needsOne && (certificate_arn ?? null) === null
    ? [`speaks ${protocol} and has no certificate_arn`]
    : [];
}

function targetGroup(body: JsonObject): string[] {
  return [
    ...outside("a deregistration delay", body.deregistration_delay, DRAIN_S),
    ...blocksOf(body.health_check).flatMap(healthCheck),
  ];
}

function healthCheck(check: JsonObject): string[] {
  const messages = [
    ...outside("a health check interval", check.interval, CHECK_INTERVAL_S),
    ...outside("a health check timeout", check.timeout, CHECK_TIMEOUT_S),
    ...outside("a healthy threshold", check.healthy_threshold, CHECK_COUNT),
    ...outside("an unhealthy threshold", check.unhealthy_threshold, CHECK_COUNT),
  ];
  const [timeout, interval] = [numberOf(check.timeout), numberOf(check.interval)];
  if (timeout !== null && interval !== null && timeout >= interval)
    messages.push(`waits ${timeout} s for an answer and asks again after ${interval} s`);
  const path = textOf(check.path);
  if (path !== null && !path.startsWith("/"))
    messages.push(`asks for "${path}"; a path begins with "/"`);
  return messages;
}

function distribution(body: JsonObject): string[] {
  const behaviors = [
    ...blocksOf(body.default_cache_behavior),
    ...blocksOf(body.ordered_cache_behavior),
  ];
  return [
    ...behaviors.flatMap(ttlOrder),
    ...behaviors.flatMap((behavior) => origin(behavior, body)),
    ...blocksOf(body.viewer_certificate).flatMap((certificate) => viewer(certificate, body)),
  ];
}

/** Where nothing is kept, nothing can be kept packed either. */
function cachePolicy(body: JsonObject): string[] {
  const packs = blocksOf(body.parameters_in_cache_key_and_forwarded_to_origin).some(
    ({ enable_accept_encoding_brotli: brotli, enable_accept_encoding_gzip: gzip }) =>
      brotli === true || gzip === true,
  );
  const messages = ttlOrder(body);
  if (packs && numberOf(body.max_ttl) === 0)
    messages.push("keeps nothing (max_ttl 0) and asks for compression, which CloudFront refuses");
  return messages;
}

/** Milliseconds count for nothing here: all three are seconds. */
function ttlOrder({ min_ttl, default_ttl, max_ttl }: JsonObject): string[] {
  return [
    ...descending(["min_ttl", min_ttl], ["default_ttl", default_ttl]),
    ...descending(["default_ttl", default_ttl], ["max_ttl", max_ttl]),
    ...descending(["min_ttl", min_ttl], ["max_ttl", max_ttl]),
  ].slice(0, 1);
}

function origin({ target_origin_id }: JsonObject, body: JsonObject): string[] {
  const known = [...blocksOf(body.origin), ...blocksOf(body.origin_group)].map(
    ({ origin_id }) => origin_id,
  );
  return known.includes(target_origin_id ?? null)
    ? []
    : [`serves from the origin "${target_origin_id}", which it does not have`];
}

function viewer(certificate: JsonObject, { aliases }: JsonObject): string[] {
  const messages: string[] = [];
  const hasNames = Array.isArray(aliases) && aliases.length > 0;
  if (hasNames && certificate.cloudfront_default_certificate === true)
    messages.push("has names of its own and CloudFront's certificate, which covers none of them");
  const region = textOf(certificate.acm_certificate_arn)?.split(":")[3];
  if (region !== undefined && region !== CERTIFICATE_REGION)
    messages.push(`has a certificate of ${region}; CloudFront reads those of us-east-1`);
  return messages;
}
