/**
 * The registry of faults: what may befall a cluster. Each takes effect once when it is called and heals by itself
 * some time later. A new one is a function and a line here.
 */
import type { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import { PORT } from "#simulations/cluster/SimulatedRunner.ts"
import type { PostgresFault } from "#simulations/world/PostgresFaults.ts"
import { MILLI, SECOND } from "#simulations/world/World.ts"

export type Fault = (cluster: SimulatedCluster) => void

/** A time in between, for a lease of four seconds; with longer ones, everything takes longer. */
const span = ({ scenario, world }: SimulatedCluster, least: number, most: number): number =>
  Math.round((world.between(least, most) * scenario.leaseSeconds) / LEASE_SECONDS)

const LEASE_SECONDS = 4

const restartLater = (cluster: SimulatedCluster, name: string): void =>
  restartAfter(cluster, name, span(cluster, 100 * MILLI, 8 * SECOND))

const restartSoon = (cluster: SimulatedCluster, name: string): void =>
  restartAfter(cluster, name, cluster.world.between(10 * MILLI, 300 * MILLI))

const restartAfter = (cluster: SimulatedCluster, name: string, delay: number): void => {
  cluster.world.later(delay, undefined, () => {
    if (cluster.runners.get(name)?.process.isDead === true) cluster.startRunner(name)
  })
}

const aRunner = (cluster: SimulatedCluster) => {
  const alive = [...cluster.runners.entries()].filter(([, { process }]) => !process.isDead)
  return alive.length === 0 ? undefined : cluster.world.dice.of(alive)
}

const killRunner: Fault = (cluster) => {
  const found = aRunner(cluster)
  if (found === undefined) return
  const [name, { process }] = found
  cluster.world.fault("runner killed", name)
  process.kill()
  restartLater(cluster, name)
}

/** As `killRunner`, but somebody looks after it: it is back at once. */
const bounceRunner: Fault = (cluster) => {
  const found = aRunner(cluster)
  if (found === undefined) return
  const [name, { process }] = found
  cluster.world.fault("runner bounced", name)
  process.kill()
  restartSoon(cluster, name)
}

const stopRunner: Fault = (cluster) => {
  const found = aRunner(cluster)
  if (found === undefined) return
  const [name, runner] = found
  if (!runner.serves() || runner.process.isFrozen) return
  cluster.world.fault("runner stopped", name)
  runner.process.onDeath.add(() => restartLater(cluster, name))
  runner.stop()
}

const freezeRunner: Fault = (cluster) => {
  const found = aRunner(cluster)
  if (found === undefined) return
  const [name, { process }] = found
  cluster.world.fault("runner frozen", name)
  process.freeze()
  cluster.world.later(span(cluster, 50 * MILLI, 15 * SECOND), undefined, () => process.wake())
}

/** The runner of a zone, as the database has it. */
const anOwner = ({ runners, storage: { postgres }, world }: SimulatedCluster) => {
  const owners = new Set([...postgres.tables.shard.values()].map(({ address }) => address.split(":", 1)[0] as string))
  const alive = [...owners].flatMap((name) => {
    const process = runners.get(name)?.process
    return process === undefined || process.isDead || process.isFrozen ? [] : [[name, process] as const]
  })
  return alive.length === 0 ? undefined : world.dice.of(alive)
}

/** The runner of a zone sleeps longer than its lease; it may wake for a moment only and fall asleep again. */
const oversleep: Fault = (cluster) => {
  const { scenario: { leaseSeconds }, world } = cluster
  const found = anOwner(cluster)
  if (found === undefined) return
  const [name, process] = found
  world.fault("runner oversleeps", name)
  process.freeze()
  world.later(world.between(leaseSeconds * SECOND, 3 * leaseSeconds * SECOND), undefined, () => {
    process.wake()
    if (world.dice.chance(50)) return
    world.later(world.between(1, 3 * MILLI), undefined, () => {
      process.freeze()
      world.later(world.between(5 * MILLI, 150 * MILLI), undefined, () => process.wake())
    })
  })
}

/** A runner sleeps so long that the others have forgotten it; somebody who notices that it is of no use restarts it. */
const forgetRunner: Fault = (cluster) => {
  const { scenario: { leaseSeconds }, storage: { postgres }, world } = cluster
  const found = aRunner(cluster)
  if (found === undefined || found[1].process.isFrozen) return
  const [name, { process }] = found
  world.fault("runner forgotten", name)
  process.freeze()
  world.later(1.2 * leaseSeconds * SECOND, undefined, () => {
    const address = `${name}:${PORT}`
    const row = postgres.tables.runner.get(address)
    // What the next one that registers does a day later.
    if (row !== undefined && row.expires <= postgres.now) postgres.tables.runner.delete(address)
    process.wake()
  })
  world.later(world.between(2 * leaseSeconds * SECOND, 4 * leaseSeconds * SECOND), undefined, () => {
    process.kill()
    restartSoon(cluster, name)
  })
}

/** The runner of a zone is asleep or cut off its database until somebody claims the zone, and there again just then. */
const duel: Fault = (cluster) => {
  const { network, scenario: { leaseSeconds }, storage: { postgres }, world } = cluster
  const found = anOwner(cluster)
  if (found === undefined) return
  const [name, process] = found
  const back = world.dice.chance(50) ? asleep(process) : cutOff(cluster, name)
  world.fault("runner comes back for a duel", name)
  if (world.dice.chance(70)) postgres.inject("flush slowly", "claim")
  postgres.whenAsked("claim", back)
  world.later(3 * leaseSeconds * SECOND, undefined, back)

  function asleep(sleeper: typeof process): () => void {
    sleeper.freeze()
    return () => sleeper.wake()
  }
  function cutOff({ storage }: SimulatedCluster, host: string): () => void {
    const to = [host, storage.postgres.host] as const
    const from = [storage.postgres.host, host] as const
    const cuts = world.dice.of([[to], [from], [to, from]])
    for (const [a, b] of cuts) network.cut(a, b)
    let isCut = true
    return () => {
      if (isCut) network.mend(cuts)
      isCut = false
    }
  }
}

const killClient: Fault = (cluster) => {
  const alive = [...cluster.clients.entries()].filter(([, process]) => !process.isDead)
  if (alive.length === 0) return
  const [name, process] = cluster.world.dice.of(alive)
  cluster.world.fault("client killed", name)
  process.kill()
  cluster.world.later(span(cluster, 0, 5 * SECOND), undefined, () => {
    if (!cluster.ending) cluster.startClient(name)
  })
}

const freezeClient: Fault = (cluster) => {
  const alive = [...cluster.clients.values()].filter((process) => !process.isDead)
  if (alive.length === 0) return
  const process = cluster.world.dice.of(alive)
  cluster.world.fault("client frozen", process.name)
  process.freeze()
  const most = 2 * cluster.scenario.sessionLeaseSeconds * SECOND
  cluster.world.later(cluster.world.between(50 * MILLI, most), undefined, () => process.wake())
}

/** One host from all others, one from one, in both directions or in one. */
const partition: Fault = (cluster) => {
  const { dice } = cluster.world
  const all = cluster.hosts
  const victim = dice.of(all)
  const others = dice.chance(50) ? all.filter((host) => host !== victim) : [dice.of(all)]
  const direction = dice.below(3)
  cluster.world.fault("network cut", `${victim} and ${others.length === 1 ? others[0] : "all"}`)
  const cuts: Array<readonly [string, string]> = []
  for (const other of others) {
    if (direction !== 1) cuts.push([victim, other])
    if (direction !== 2) cuts.push([other, victim])
  }
  for (const [from, to] of cuts) cluster.network.cut(from, to)
  cluster.world.later(span(cluster, 100 * MILLI, 12 * SECOND), undefined, () => cluster.network.mend(cuts))
}

const breakConnection: Fault = (cluster) => {
  if (cluster.network.breakOne()) cluster.world.fault("connection broken")
}

/** As `breakConnection`, of a client's: there are many more between runners and their database. */
const breakClient: Fault = (cluster) => {
  if (cluster.network.breakOne(new Set(cluster.clients.values()))) cluster.world.fault("client's connection broken")
}

/** What is on its way over one of a client's connections is late, so that what is sent over the next one overtakes it. */
const stallConnection: Fault = (cluster) => {
  if (cluster.network.stallOne(new Set(cluster.clients.values()), span(cluster, SECOND, 12 * SECOND))) {
    cluster.world.fault("connection stalled")
  }
}

const slowNetwork: Fault = (cluster) => {
  cluster.world.fault("network slow")
  cluster.network.slowness = cluster.world.between(5, 200)
  cluster.world.later(span(cluster, SECOND, 5 * SECOND), undefined, () => {
    cluster.network.slowness = 1
  })
}

/** A wall clock is set, by seconds or by hours, forward or back. */
const jumpClock: Fault = (cluster) => {
  const { dice } = cluster.world
  const found = aRunner(cluster)
  if (found === undefined) return
  const most = dice.chance(50) ? 5_000 : 7_200_000
  const millis = cluster.world.between(-most, most)
  cluster.world.fault("clock set", `${found[0]} by ${millis} ms`)
  found[1].process.jump(millis)
}

const crashDatabase: Fault = ({ storage: { postgres } }) => {
  if (postgres.isUp) postgres.crash()
}

const freezeDatabase: Fault = (cluster) => {
  const { storage: { postgres }, world } = cluster
  if (!postgres.isUp) return
  postgres.freeze()
  world.later(span(cluster, 100 * MILLI, 6 * SECOND), undefined, () => postgres.wake())
}

const slowDatabase: Fault = (cluster) => {
  const { storage: { postgres }, world } = cluster
  postgres.slow(world.between(5, 100), world.now + span(cluster, SECOND, 5 * SECOND))
}

/** An append is committed, or not, and the server or the connection dies around it. */
const failAppend: Fault = ({ storage: { postgres }, world }) => {
  const kinds = ["crash before commit", "crash during commit", "crash before reply", "lose the reply", "lose the reply"]
  postgres.inject(world.dice.of(kinds as ReadonlyArray<PostgresFault>), "append")
}

/** An append is refused: nothing of it is done, and the database is well. */
const cancelAppend: Fault = ({ storage: { postgres } }) => postgres.inject("cancel", "append")

/** An append whose zone has given it up is at work still when the zone claims itself anew. */
const strayAppend: Fault = ({ storage: { postgres }, world }) => {
  postgres.inject(world.dice.of(["begin late", "commit late"] as const), "append")
  if (world.dice.chance(70)) postgres.inject("flush slowly", "claim")
}

/** A segment is being archived: one of its statements or requests suffers something. */
const failArchive: Fault = ({ storage: { objects, postgres }, world }) => {
  const operation = world.dice.of(["record a segment", "remove archived rows", undefined] as const)
  if (operation === undefined) {
    const kinds = ["object store answer lost", "object store unavailable", "object store full"] as const
    return objects?.faults.arm(world.dice.of(kinds), "journal/")
  }
  const kinds = [
    "crash before commit",
    "crash during commit",
    "crash before reply",
    "lose the reply",
    "begin late"
  ] as const
  postgres.inject(world.dice.of(kinds), operation)
}

/** The runner of a zone dies when it has just stored something, which may be a segment that it has not recorded. */
const killAfterPut: Fault = (cluster) => {
  cluster.whenStored(() => bounceRunner(cluster))
}

/** Any statement stands still until its time limit, with its locks or without. */
const stickStatement: Fault = ({ storage: { postgres }, world }) => {
  postgres.inject(world.dice.of(["stick at once", "stick with its locks"] as const))
}

const failObjects: Fault = ({ storage: { objects }, world }) => {
  objects?.faults.arm(world.dice.of(
    [
      "object store unavailable",
      "object store answer lost",
      "object store answer corrupt",
      "object store slow",
      "object store full"
    ] as const
  ))
}

/** A part of a snapshot is given to nobody any more, while all else is. */
const refuseObject: Fault = ({ storage: { objects }, world }) => {
  objects?.faults.arm("object store refuses", world.dice.of(["pages/", "pages/", "manifests/"] as const))
}

const objectsDown: Fault = (cluster) => {
  const { storage: { objects }, world } = cluster
  if (objects === undefined) return
  world.fault("object store down")
  objects.goDown(span(cluster, 100 * MILLI, 10 * SECOND))
}

const failDisk: Fault = ({ storage: { disk }, world }) => {
  disk?.faults.arm(world.dice.of(
    [
      "disk full",
      "disk full midway",
      "disk sync fails",
      "disk read fails",
      "disk slow"
    ] as const
  ))
}

/** The machine loses its power: runners and database with all that was not on the disk. */
const powerCut: Fault = (cluster) => darken(cluster, restartLater)

/** The power goes when a block has just been stored, and is back soon. */
const cutAfterPut: Fault = (cluster) => {
  const { world } = cluster
  cluster.whenStored(() => world.later(world.between(0, 20 * MILLI), undefined, () => darken(cluster, restartSoon)))
}

const darken = (cluster: SimulatedCluster, restart: typeof restartLater): void => {
  const { runners, storage: { disk, postgres }, world } = cluster
  if (disk === undefined || cluster.ending) return
  world.fault("power cut")
  for (const [name, { process }] of runners) {
    if (process.isDead) continue
    process.kill()
    restart(cluster, name)
  }
  disk.powerCut()
  if (postgres.isUp) postgres.crash()
}

export const faults = {
  crashDatabase,
  freezeDatabase,
  slowDatabase,
  failAppend,
  cancelAppend,
  strayAppend,
  failArchive,
  killAfterPut,
  stickStatement,
  failObjects,
  refuseObject,
  objectsDown,
  failDisk,
  powerCut,
  cutAfterPut,
  killRunner,
  bounceRunner,
  stopRunner,
  freezeRunner,
  oversleep,
  forgetRunner,
  duel,
  killClient,
  freezeClient,
  partition,
  breakConnection,
  breakClient,
  stallConnection,
  slowNetwork,
  jumpClock
} as const satisfies { readonly [name: string]: Fault }

export type FaultName = keyof typeof faults

export const isFaultName = (text: string): text is FaultName => Object.hasOwn(faults, text)
