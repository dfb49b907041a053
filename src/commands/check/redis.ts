import type { RedisSettings } from '../../config/settings/redis.ts'
import { redisErrorCode, redisFix } from '../../explanations/redis-errors.ts'
import { tryRedis } from '../../replicas/redis.ts'
import { ok, warning } from './step.ts'
import type { Step } from './step.ts'

/** Whether replicas can meet at Redis. The gateway works without it, so that nothing of it is a failure. */
export function redisStep(settings: RedisSettings): Step {
  return {
    name: 'Redis',
    run: async () => {
      try {
        await tryRedis(settings)
        return ok('connected, and takes writes and messages')
      } catch (error) {
        const code = redisErrorCode(error)
        return warning(`cannot be used (${code}), so that each replica works alone. ${redisFix(code)}`)
      }
    },
  }
}
