/**
 * A planted bug, as data: which text of which file becomes which other text. It changes no file; `Planting` shows the
 * other text to a program that loads the file.
 */
export interface Mutant {
  /** In kebab case, unique. */
  readonly name: string
  /** What is wrong and what it breaks. */
  readonly about: string
  /** From the repository's root. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** Where it is most likely to show. */
  readonly scenario: string
}

/** The file's text with the bug in it. */
export const plantedIn = (source: string, { file, find, name, replace }: Mutant): string => {
  const places = source.split(find).length - 1
  if (places !== 1) throw new Error(`mutant ${name}: its text occurs ${places} times in ${file}`)
  return source.replace(find, () => replace)
}
