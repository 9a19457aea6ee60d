/** What the runbooks of one file run on: an emulator of AWS with an estate, a database, and each run's writes under its lease. */
import { CloudFrontClient, GetInvalidationCommand } from "@aws-sdk/client-cloudfront";
import { ECRClient, PutImageCommand } from "@aws-sdk/client-ecr";
import { createAws } from "../../../src/adapter/aws.js";
import type { AwsLease } from "../../../src/adapter/aws-lease.js";
import { systemClock } from "../../../src/base/clock.js";
import type { AwsCallRecord, AwsPlace, SecurityGroupView } from "../../../src/runbook/aws-port.js";
import type { Runbook } from "../../../src/runbook/define.js";
import type { RunbookHandlerDeps } from "../../../src/runtime/handler/runbook.js";
import { leaseLeft } from "../../../src/store/run-leases.js";
import { MOTO_CREDENTIALS, MOTO_REGION, type Moto, startMoto } from "../../support/moto.js";
import { openGround, type RunbookGround } from "../../support/runbook.js";
import { makeRegistry } from "../../support/runbook-world.js";
import { HEARTBEATS_TABLE, makeEstate } from "../aws/moto-estate.js";

/** What the emulator says of an invalidation that is done; Amazon's word is `Completed` (GetInvalidation, Status). */
export const MOTO_INVALIDATED = "COMPLETED";

export class MotoGround {
  readonly calls: AwsCallRecord[] = [];
  /** Made up: the emulator takes the groups of a cache, and never tells them again. */
  cacheGroups: readonly SecurityGroupView[] = [];

  private constructor(
    readonly server: Moto,
    /** May change between runs. */
    public place: AwsPlace,
    readonly ground: RunbookGround,
  ) {}

  static async open(program: string, place: AwsPlace, runbooks: Runbook[]): Promise<MotoGround> {
    const server = await startMoto(program);
    await makeEstate(server.url, place);
    return new MotoGround(server, place, await openGround(makeRegistry(...runbooks)));
  }

  settings() {
    const { url: endpoint } = this.server;
    return { region: MOTO_REGION, credentials: MOTO_CREDENTIALS, endpoint } as const;
  }

  /** As the program has it. */
  openPlain(lease?: AwsLease) {
    return createAws({
      access: { region: MOTO_REGION, endpointUrl: this.server.url, credentials: MOTO_CREDENTIALS },
      ...{ place: () => this.place, signal: new AbortController().signal, clock: systemClock },
      ...{ namespace: () => "AlgoBrain", heartbeatsTable: () => HEARTBEATS_TABLE },
      onCall: (record) => void this.calls.push(record),
      timeoutMs: 60_000,
      ...(lease && { lease }),
    });
  }

  /** With Amazon's words where the emulator has others. */
  open(lease?: AwsLease) {
    const { aws, close } = this.openPlain(lease);
    return { aws: { ...aws, ...this.#inAmazonsWords(aws) }, close };
  }

  /** The emulator lists the oldest revision first, whichever order it is asked for. */
  #inAmazonsWords(aws: ReturnType<typeof createAws>["aws"]) {
    const revisions: typeof aws.revisions = async (family, max) =>
      (await aws.revisions(family, 50)).slice(0, max);
    const invalidation: typeof aws.invalidation = async (distribution, id) => {
      const said = await aws.invalidation(distribution, id);
      return (await this.invalidated(distribution, id)) === MOTO_INVALIDATED ? "Completed" : said;
    };
    const securityGroups = async () => ({
      ...(await aws.securityGroups()),
      cache: this.cacheGroups,
    });
    return { revisions, invalidation, securityGroups };
  }

  /** In the emulator's own word. */
  async invalidated(DistributionId: string, Id: string): Promise<string | undefined> {
    const command = new GetInvalidationCommand({ DistributionId, Id });
    return (await new CloudFrontClient(this.settings()).send(command)).Invalidation?.Status;
  }

  other(): Partial<RunbookHandlerDeps> {
    return {
      openAws: async (run, { danger }) =>
        this.open(() => leaseLeft(this.ground.db, run, danger !== "R")),
    };
  }

  asked(operation: string): readonly AwsCallRecord[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  /** As `docker push` would leave it. */
  async pushImage(repository: string, tag: string): Promise<void> {
    await new ECRClient(this.settings()).send(
      new PutImageCommand({
        ...{ repositoryName: `algobrain-${repository}`, imageTag: tag },
        imageManifest: JSON.stringify({
          ...{ schemaVersion: 2, config: { size: 1, digest: `sha256:${"2".repeat(64)}` } },
          ...{ mediaType: "application/vnd.docker.distribution.manifest.v2+json", layers: [] },
        }),
      }),
    );
  }

  /** As many run as are wanted, once they were asked for. */
  async settle(services: readonly string[]): Promise<void> {
    const { aws } = this.open();
    for (const service of services)
      await aws.updateService({ service, desired: this.place.services[service]!.desired });
  }

  /** A task beside a service comes to its end after so many looks at it. */
  async endTasksAfter(looks: number): Promise<void> {
    const transition = { progression: "manual", times: looks };
    const { status } = await fetch(`${this.server.url}/moto-api/state-manager/set-transition`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model_name: "ecs::task", transition }),
    });
    if (status !== 201) throw new Error(`moto answered ${status} to its transition`);
  }

  async close(): Promise<void> {
    await this.ground.drop();
    await this.server.close();
  }
}
