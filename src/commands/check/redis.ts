import type { RedisSettings } from '../../config/settings/redis.ts'
import { redisErrorCode, redisFix } from '../../explanations/redis-errors.ts'
import { tryRedis } from '../../replicas/redis.ts'
import { ok, warning } from './step.ts'
import type { Step } from './step.ts'

/**
 * Whether replicas can share state through Redis. The gateway works without Redis, so that a fault is only a warning.
 */
export function redisStep(settings: RedisSettings): Step {
  return {
    name: 'Redis',
    run: async () => {
      try {
        await tryRedis(settings)
        return ok('connected, and accepts writes and messages')
      } catch (error) {
        const code = redisErrorCode(error)
        return warning(`cannot be used (${code}), so each replica works alone. ${redisFix(code)}`)
      }
    },
  }
}
