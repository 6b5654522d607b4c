/**
 * The zones that live in this process, so that a message reaches its zone without the cluster's machinery.
 */
import type { Zone } from "#actors/Zone.ts"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

export class LocalZones extends Context.Tag("cadastre/LocalZones")<LocalZones, Map<number, Zone>>() {}

export const layer: Layer.Layer<LocalZones> = Layer.sync(LocalZones, () => new Map())
