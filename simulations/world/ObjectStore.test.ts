import { bytesOf, contract, Damage, keysOf } from "#persistence/blocks/BlockStore.contract.ts"
import * as BlockStore from "#persistence/blocks/BlockStore.ts"
import { within } from "#simulations/world/Disk.testing.ts"
import { Network } from "#simulations/world/Network.ts"
import { ObjectStore, type ObjectStoreSettings } from "#simulations/world/ObjectStore.ts"
import * as ObjectStoreClient from "#simulations/world/ObjectStoreClient.ts"
import type { ObjectStoreClientOptions } from "#simulations/world/ObjectStoreClient.ts"
import { Process } from "#simulations/world/Process.ts"
import { SECOND, World } from "#simulations/world/World.ts"
import { describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect } from "vitest"

const setUp = (seed: number, settings: ObjectStoreSettings = {}, options: ObjectStoreClientOptions = {}) => {
  const world = new World(seed)
  const network = new Network(world)
  const objectStore = new ObjectStore(network, settings)
  const process = new Process(world, "client")
  const store = ObjectStoreClient.make(objectStore, process, options)
  const use = <A, E>(effect: Effect.Effect<A, E>) => Effect.runSync(Effect.either(within(process)(effect)))
  return { world, network, objectStore, process, store, use }
}

const whole = setUp(1)
const changed = (key: string, change: (stored: Uint8Array) => Uint8Array) =>
  Effect.sync(() => void whole.objectStore.objects.set(key, change(whole.objectStore.objects.get(key)!.slice())))

contract(
  "the simulated object store",
  Layer.succeedContext(
    Context.make(BlockStore.BlockStore, whole.store).pipe(Context.add(Damage, {
      corrupt: (key, offset) =>
        changed(key, (stored) => {
          stored[offset]! ^= 1
          return stored
        }),
      truncate: (key, bytes) => changed(key, (stored) => stored.subarray(0, bytes))
    }))
  ),
  within(whole.process)
)

describe("the simulated object store", () => {
  it("that is unavailable has done nothing, and says that it may be asked again", () => {
    const { objectStore, store, use } = setUp(1)
    objectStore.faults.arm("object store unavailable", "a")
    expect(use(store.put("a", bytesOf(10)))).toMatchObject({ left: { _tag: "StoreUnavailable", retryable: true } })
    expect(use(store.head("a"))).toMatchObject({ right: undefined })
  })

  it("that refuses an object gives its bytes to nobody any more, and all others", () => {
    const { objectStore, store, use } = setUp(1)
    for (const key of ["a", "b"]) use(store.put(key, bytesOf(10)))
    objectStore.faults.arm("object store refuses", "a")
    for (const read of [store.get("a"), store.getRange("a", 10, 2, 3), store.get("a")]) {
      expect(use(read)).toMatchObject({ left: { _tag: "StoreUnavailable" } })
    }
    expect(use(store.head("a"))).toMatchObject({ right: { key: "a", bytes: 10 } })
    expect(use(store.get("b"))).toMatchObject({ right: bytesOf(10) })
    expect(use(store.remove("a"))).toMatchObject({ _tag: "Right" })
  })

  it("whose answer is lost has done what it was asked to do", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { objectStore, store, use } = setUp(seed)
      objectStore.faults.arm("object store answer lost")
      expect(use(store.put("a", bytesOf(10)))).toMatchObject({ left: { _tag: "StoreUnavailable", retryable: true } })
      expect(use(store.get("a"))).toMatchObject({ right: bytesOf(10) })
    }
  })

  it("whose answer turned on its way is found out, and gives the object at the next attempt", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { objectStore, store, use } = setUp(seed)
      use(store.put("a", bytesOf(100_000)))
      for (const read of [store.get("a"), store.getRange("a", 100_000, 40_000, 10)]) {
        objectStore.faults.arm("object store answer corrupt")
        expect(use(read)).toMatchObject({ left: { _tag: "ObjectCorrupt", key: "a" } })
        expect(use(read)._tag).toBe("Right")
      }
    }
  })

  it("that is full stores nothing, keeps the old version, and goes on when there is room", () => {
    const { objectStore, store, use } = setUp(1, { capacityBytes: 1000 })
    use(store.put("a", bytesOf(500)))
    expect(use(store.put("a", bytesOf(2000)))).toMatchObject({ left: { _tag: "StoreFull", key: "a" } })
    expect(use(store.put("b", bytesOf(600)))).toMatchObject({ left: { _tag: "StoreFull", key: "b" } })
    expect(use(store.get("a"))).toMatchObject({ right: bytesOf(500) })
    use(store.remove("a"))
    expect(use(store.put("b", bytesOf(600)))._tag).toBe("Right")
    objectStore.faults.arm("object store full")
    expect(use(store.put("c", bytesOf(1)))).toMatchObject({ left: { _tag: "StoreFull" } })
  })

  it("that is down for a while refuses everything, and a client that asks again outlasts it", () => {
    const { objectStore, store, use } = setUp(1)
    objectStore.goDown(SECOND / 2)
    expect(use(store.put("a", bytesOf(1)))._tag).toBe("Left")
    expect(use(keysOf(store, ""))._tag).toBe("Left")
    const patient = ObjectStoreClient.make(objectStore, objectStore.process, { attemptsMax: 8 })
    expect(use(patient.put("a", bytesOf(1)))._tag).toBe("Right")
  })

  it("that cannot be reached is given up after a while", () => {
    const { network, store, use, world } = setUp(1, {}, { answerMillisMax: 5000 })
    network.cut("objects", "client")
    expect(use(store.get("a"))).toMatchObject({ left: { _tag: "StoreUnavailable", retryable: true } })
    expect(world.now).toBeGreaterThan(4.9 * SECOND)
  })

  it("never loses what it said it has stored, whatever befalls it, and does the same under the same seed", () => {
    const chances = {
      "object store unavailable": 10,
      "object store down": 100,
      "object store answer lost": 20,
      "object store answer corrupt": 10,
      "object store full": 30,
      "object store slow": 30
    }
    const run = (seed: number) => {
      const { objectStore, store, use, world } = setUp(seed, { chances }, { answerMillisMax: 5000 })
      const stored = new Set<string>()
      const put = (n: number) =>
        Effect.zipRight(
          Effect.andThen(store.put(`k/${n}`, bytesOf(n)), () => stored.add(`k/${n}`)),
          store.get(`k/${n}`)
        )
      const numbers = Array.from({ length: 60 }, (_, n) => n)
      use(Effect.forEach(numbers, (n) => Effect.either(put(n)), { concurrency: 8 }))
      objectStore.faults.clear()
      world.run(() => false, world.now + 60 * SECOND)
      expect(use(keysOf(store, "k/"))).toMatchObject({ right: expect.arrayContaining([...stored]) })
      const got = use(Effect.forEach(stored, (key) => store.get(key), { concurrency: 8 }))
      expect(got).toMatchObject({ right: Array.from(stored, (key) => bytesOf(Number(key.slice(2)))) })
      return { digest: world.digest, faults: world.faults }
    }
    const kinds = new Set<string>()
    for (let seed = 1; seed <= 20; seed++) {
      const { digest, faults } = run(seed)
      for (const kind of faults.keys()) kinds.add(kind)
      expect(run(seed).digest).toBe(digest)
    }
    expect([...kinds].sort()).toEqual(Object.keys(chances).sort())
  })
})
