import { bareName } from './rule.ts'
import type { Rule } from './rule.ts'
import type { Settings } from './schema.ts'

/** Errors in what is answered from memory that concern several settings. */
export function readChecks({ targets, callers }: Pick<Settings, 'targets' | 'callers'>, errors: string[]): void {
  for (const { reads } of targets) {
    const names = reads.keep.flatMap(({ entitySets }) => entitySets.map(bareName))
    for (const name of new Set(names.filter((name, index) => names.indexOf(name) !== index))) {
      errors.push(`reads.keep: ${name} is listed twice; list it once.`)
    }
    if (reads.keep.some(({ entitySets }) => entitySets.length === 0)) {
      errors.push('reads.keep: entitySets is empty; name at least one entity set.')
    }
    for (const { entitySets, shared } of reads.keep) {
      for (const entitySet of shared ? entitySets : []) {
        if (new Set(callers.map(({ rules }) => readingRules(rules, bareName(entitySet)))).size > 1) {
          errors.push(
            `reads.keep: ${entitySet} is shared by all users, but the rules of two callers differ on reading it; ` +
              'give them the same rules for it, or leave out shared.',
          )
        }
      }
    }
  }
}

/** The rules that may decide about reading `entitySet`, as they are written. Any `allow` refuses what it does not name. */
function readingRules(rules: readonly Rule[], entitySet: string): string {
  return rules
    .filter(
      (rule) =>
        'names' in rule &&
        (rule.methods === undefined || rule.methods.has('GET')) &&
        (rule.effect === 'allow' || rule.names.some(({ first }) => first === '*' || first === entitySet)),
    )
    .map(({ text }) => text)
    .sort()
    .join('\n')
}
