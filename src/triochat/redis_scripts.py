"""What Redis does for a room in one step, where nothing may come between: scripts in Lua."""

FOUND = """
if ARGV[1] == '' then
  if redis.call('XLEN', KEYS[1]) > 0 then return 0 end
elseif redis.call('GET', KEYS[3]) ~= ARGV[1] then
  return 0
end
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local before = newest and tonumber(string.match(newest[1], '%d+')) or 0
local now = redis.call('TIME')
local time = math.max(now[1] * 1000 + math.floor(now[2] / 1000), ARGV[2] + 1, before + 1)
local place = string.format('%.0f-0', time)
redis.call('UNLINK', KEYS[1])
redis.call('XADD', KEYS[1], place, 'data', ARGV[3])
redis.call('SET', KEYS[2], place .. ' ' .. ARGV[4])
return 1
"""
"""Begin the stream anew, and its snapshot with it, later than all that was in it, also by a clock
that was ahead. Keys: stream, snapshot, lead. Values: who leads, or nothing where there must be no
entry; the time to be later than; entry; snapshot."""

THERE = """
return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
"""
"""Whether an entry is there, without what stands in it. Key: stream. Value: its place."""

SAVE = """
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[3])
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2])
return 1
"""
"""Keep a snapshot, and no more entries than are needed. Whose entry is not there was overtaken, by
another with the duty or the lead. Keys: stream, snapshot. Values: the place of the snapshot; that
of the oldest entry to keep; snapshot."""

TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""Whether a lock is one's own now. Key: lock. Values: who; for how many milliseconds."""

RESIGN = """
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""
"""Give up locks, as far as they are one's own. Keys: locks. Value: who."""

ROLL = """
local now = redis.call('TIME')[1]
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. now)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local said, there = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #said, 2 do
  local place, second = string.match(said[at + 1], '(%S+) (%d+)')
  if (now - second) * 1000 <= tonumber(ARGV[3]) then
    table.insert(there, said[at])
    table.insert(there, place)
  end
end
return there
"""
"""Say how far one is, and hear how far the others are. Key: roll. Values: who; the place; for how
many milliseconds that holds."""
