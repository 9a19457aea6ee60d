/** Subnets and ways out: balancers stand in the public ones, everything else in the private ones. */

import { Eip } from "#aws/eip";
import { InternetGateway } from "#aws/internet-gateway";
import { NatGateway } from "#aws/nat-gateway";
import { Route } from "#aws/route";
import { RouteTable } from "#aws/route-table";
import { RouteTableAssociation } from "#aws/route-table-association";
import { Subnet } from "#aws/subnet";
import type { Vpc } from "#aws/vpc";
import type { TerraformStack } from "#cdk";
import type { PolicySet } from "../src/policy/policy.js";
import { cidrPart } from "./cidr.js";

/** A network of /16 gives subnets of /20: 16 of them. */
const SUBNET_BITS = 4;
/** Private subnets begin in the upper half, so that a third zone moves none of those that are there. */
const FIRST_PRIVATE = 8;
const EVERYWHERE = "0.0.0.0/0";

export interface Subnets {
  readonly publicIds: readonly string[];
  readonly privateIds: readonly string[];
  readonly privateRouteTableIds: readonly string[];
}

interface Zone {
  /** `a`: the end of the zone's name, and of logical ids. */
  readonly letter: string;
  readonly index: number;
}

export function makeSubnets(stack: TerraformStack, policy: PolicySet, vpc: Vpc): Subnets {
  const zones = [..."abc"]
    .slice(0, policy.infrastructure.azs)
    .map((letter, index) => ({ letter, index }));
  const publics = zones.map((zone) => makeSubnet(stack, policy, { vpc, zone, side: "public" }));
  const privates = zones.map((zone) => makeSubnet(stack, policy, { vpc, zone, side: "private" }));
  const gateway = new InternetGateway(stack, "internet", { vpcId: vpc.id });
  const open = new RouteTable(stack, "public-routes", { vpcId: vpc.id, tags: { Name: "public" } });
  new Route(stack, "public-internet", {
    routeTableId: open.id,
    destinationCidrBlock: EVERYWHERE,
    gatewayId: gateway.id,
  });
  publics.forEach((subnet, index) => {
    attach(stack, `public-${zones[index]!.letter}-routes`, subnet, open);
  });
  const nats = makeNats(stack, policy, publics, zones, gateway);
  const tables = privates.map((subnet, index) => {
    const { letter } = zones[index]!;
    return makePrivateRoutes(stack, letter, { vpc, subnet, nat: nats[index] ?? nats[0] });
  });
  return {
    publicIds: publics.map(({ id }) => id),
    privateIds: privates.map(({ id }) => id),
    privateRouteTableIds: tables.map(({ id }) => id),
  };
}

function makeSubnet(
  stack: TerraformStack,
  { infrastructure }: PolicySet,
  { vpc, zone, side }: { vpc: Vpc; zone: Zone; side: "public" | "private" },
): Subnet {
  const part = side === "public" ? zone.index : FIRST_PRIVATE + zone.index;
  return new Subnet(stack, `${side}-${zone.letter}`, {
    vpcId: vpc.id,
    cidrBlock: cidrPart(infrastructure.network.cidr, SUBNET_BITS, part),
    availabilityZone: `${infrastructure.region}${zone.letter}`,
    // What needs an address of its own asks for it.
    mapPublicIpOnLaunch: false,
    tags: { Name: `${infrastructure.cluster}-${side}-${zone.letter}` },
  });
}

function attach(stack: TerraformStack, id: string, subnet: Subnet, table: RouteTable): void {
  new RouteTableAssociation(stack, id, { subnetId: subnet.id, routeTableId: table.id });
}

/** None, one for all zones, or one in each (dearer, and a lost zone takes nobody else's way out). */
function makeNats(
  stack: TerraformStack,
  { infrastructure }: PolicySet,
  publics: readonly Subnet[],
  zones: readonly Zone[],
  gateway: InternetGateway,
): NatGateway[] {
  const counts = { none: 0, one: 1, each: zones.length };
  return zones.slice(0, counts[infrastructure.network.nat]).map(({ letter, index }) => {
    const address = new Eip(stack, `nat-${letter}-address`, { domain: "vpc" });
    return new NatGateway(stack, `nat-${letter}`, {
      allocationId: address.id,
      subnetId: publics[index]!.id,
      tags: { Name: `${infrastructure.cluster}-${letter}` },
      // Without a way to the internet it is made and does not work.
      dependsOn: [gateway],
    });
  });
}

function makePrivateRoutes(
  stack: TerraformStack,
  letter: string,
  { vpc, subnet, nat }: { vpc: Vpc; subnet: Subnet; nat: NatGateway | undefined },
): RouteTable {
  const id = `private-${letter}`;
  const table = new RouteTable(stack, `${id}-table`, { vpcId: vpc.id, tags: { Name: id } });
  if (nat !== undefined) {
    new Route(stack, `${id}-internet`, {
      routeTableId: table.id,
      destinationCidrBlock: EVERYWHERE,
      natGatewayId: nat.id,
    });
  }
  attach(stack, `${id}-routes`, subnet, table);
  return table;
}
