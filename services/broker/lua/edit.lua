-- Gives a delivery that nobody has claimed another body. KEYS: queue prefix. ARGV: clock offset, id, body.
-- Answers 'edited', 'claimed' or 'unknown'.
-- @include broker/lua/lib/base
-- @include broker/lua/lib/unique
local id, token = ARGV[2], body_token(ARGV[3])
local refusal = redis.call('HEXISTS', P .. ':j', id) == 0 and 'unknown' or claimer(P, id) and 'claimed'
if refusal then
  if token then redis.call('UNLINK', P .. ':b:' .. token) end
  return refusal
end
replace_body(P, id, ARGV[3])
return 'edited'
