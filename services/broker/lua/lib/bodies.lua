-- Large bodies live in keys of their own, b:<token>, token = <random>:<bytes>; j then holds NUL + token.
local function body_token(body)
  if string.byte(body) == 0 then return string.sub(body, 2) end
end

local function body_bytes(token)
  return tonumber(string.match(token, ':(%d+)$')) or 0
end
