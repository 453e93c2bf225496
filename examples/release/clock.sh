while :; do
  echo "$(date +%T) by $SKEIN_RELEASE on $SKEIN_DEVICE"
  sleep 2
done
