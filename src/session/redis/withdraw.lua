-- ARGV[2] and the rest: revocations, which need not be there.
name()
for at = 2, #ARGV do
  remove(ARGV[at])
end
return 1
