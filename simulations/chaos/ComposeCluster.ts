import type { Cluster } from "#simulations/chaos/Cluster.ts"
import * as Effect from "effect/Effect"
export const make: Effect.Effect<Cluster> = Effect.dieMessage("not yet")
