-- A worker that was reaped is fenced for good: nothing below runs.
local function is_fenced(wid)
  return not redis.call('ZSCORE', P .. ':wk', wid)
end
