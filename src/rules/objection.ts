import type { Rule } from '../config/rule.ts'

// Sentences for callers: what was refused, and by which rule.

/** A rule refuses what was asked. */
export function refused(method: string, what: string, rule: Rule): string {
  return objection(method, what, `the rule "${rule.text}" refuses it`)
}

/** What was asked may lead to what a rule refuses. */
export function mayLeadTo(method: string, name: string, rule: Rule): string {
  return objection(method, name, `it may lead to what the rule "${rule.text}" refuses`)
}

/** Why a caller may not do something, as a sentence. */
export function objection(method: string, what: string, why: string): string {
  return `This caller may not ${method} ${what.slice(0, 100)}: ${why}.`
}

/** The first few rules, for a sentence. */
export function listed(rules: readonly Rule[]): string {
  return [...rules.slice(0, 5).map(({ text }) => text), ...(rules.length > 5 ? ['…'] : [])].join('; ')
}
