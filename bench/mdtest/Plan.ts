/**
 * Where a task's items go: zones, trees of directories in them, and the names. Plain arithmetic, the same in every
 * task and every phase, so that nobody keeps lists of names.
 */
import { directoriesOf, type Shape } from "#bench/mdtest/Options.ts"

/** What a task does in one zone. */
export interface Lane {
  readonly zone: number
  /** Items of this task there. */
  readonly items: number
  /** Whose name the trees bear: the task's, or 0 where they are shared. */
  readonly owner: number
  /** Whether this task makes and removes these trees. */
  readonly keeps: boolean
  /** Whether this task makes and removes the directory in the zone's root that holds all trees. */
  readonly hasTest: boolean
}

/** The trees of one lane; all lanes of a run have the same. */
export interface Trees {
  readonly trees: number
  /** Directories of one tree. */
  readonly directories: number
  /** Items of one task in one directory. */
  readonly itemsPerDirectory: number
}

/** Zones in which a task works: all of them where trees are shared, its part where they are its own. */
const zonesOf = ({ tasks, unique, zones }: Shape, task: number): ReadonlyArray<number> => {
  // Each begins elsewhere, so that they do not all ask one zone at a time.
  const first = Math.floor((task * zones) / tasks)
  if (!unique) return Array.from({ length: zones }, (_, n) => (first + n) % zones)
  if (zones <= tasks) return [task % zones]
  const own: Array<number> = []
  for (let zone = task; zone < zones; zone += tasks) own.push(zone)
  return own
}

export const lanesOf = (shape: Shape, task: number): ReadonlyArray<Lane> => {
  const zones = zonesOf(shape, task)
  const least = Math.floor(shape.items / zones.length)
  const more = shape.items % zones.length
  return zones.map((zone, index) => ({
    zone,
    items: least + (index < more ? 1 : 0),
    owner: shape.unique ? task : 0,
    keeps: shape.unique || zone % shape.tasks === task,
    hasTest: zone % shape.tasks === task
  }))
}

/** Zones of the task that has the most; trees are as large as its share needs, or larger. */
const lanesLeast = ({ tasks, unique, zones }: Shape): number => unique ? Math.max(1, Math.floor(zones / tasks)) : zones

export const treesOf = (shape: Shape): Trees => {
  const directories = directoriesOf(shape.branching, shape.depth)
  const items = Math.ceil(shape.items / lanesLeast(shape))
  const { itemsPerDirectory } = shape
  if (itemsPerDirectory === undefined) {
    return { trees: 1, directories, itemsPerDirectory: Math.max(1, Math.ceil(items / directories)) }
  }
  return { trees: Math.max(1, Math.ceil(items / (itemsPerDirectory * directories))), directories, itemsPerDirectory }
}

/** Directories that one task must know. */
export const directoriesOfTask = (shape: Shape, task: number): number => {
  const { directories, trees } = treesOf(shape)
  return trees * directories * zonesOf(shape, task).length
}

/** Items of a task where only a directory's are given: one tree in each of its zones is filled. */
export const itemsFor = (shape: Omit<Shape, "items">, itemsPerDirectory: number): number =>
  itemsPerDirectory * directoriesOf(shape.branching, shape.depth) * lanesLeast({ ...shape, items: 0 })

/** The directories of one level of all trees of a lane, by their numbers in it. */
export interface Level {
  readonly count: number
  /** Number of the nth directory of the level. */
  readonly directory: (n: number) => number
  /** Number of the directory that holds it; -1 for the test's own. */
  readonly parent: (directory: number) => number
}

export const levelOf = ({ directories, trees }: Trees, branching: number, depth: number): Level => {
  const width = branching ** depth
  const first = depth === 0 ? 0 : directoriesOf(branching, depth - 1)
  return {
    count: trees * width,
    directory: (n) => Math.floor(n / width) * directories + first + (n % width),
    parent: (directory) => {
      const place = directory % directories
      return place === 0 ? -1 : directory - place + Math.floor((place - 1) / branching)
    }
  }
}

export const testName = (iteration: number): string => `test-dir.${iteration}`
export const treeName = (owner: number, directory: number): string => `mdtest_tree.${owner}.${directory}`
/** What comes before the number of an item in its name, and after it where the rename phase was. */
export const filePrefix = (task: number): string => `file.mdtest.${task}.`
export const directoryPrefix = (task: number): string => `dir.mdtest.${task}.`
export const RENAMED = "-renamed"
